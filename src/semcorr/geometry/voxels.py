"""Surface voxels of triangle meshes in the cube [-0.5, 0.5]^3, and conversions of their indices."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, UInt8

# HNSR clips vertices this far inside of the cube, so that all lie in cells.
MARGIN = 1e-6
# Triangles, and columns or cells, handled at a time: bounds the temporaries to some 100 MB.
_FACES = 1 << 17
_ROWS = 1 << 13
# Bound of the rounding of a separating axis test, relative to its operands: a box that is touched
# counts as such however the sums are rounded, also by slivers whose normal is all rounding.
ROUNDING = 1e-14
# Extra width (in cells) of the range that a plane may cross; the test itself follows.
_SLACK = 1e-6


def voxelise(
    vertices_world: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    resolution: int = 64,
) -> UInt8[np.ndarray, "n 3"]:
    """Return the cells that the surface touches (HNSR, voxelisation; equal to Open3D).

    Vertices are clipped to the cube less 1e-6. A triangle is tested, per axis, against the cells
    from floor(R (min + 0.5)) to floor(R (max + 0.5)) of its own box and marks those whose closed
    box it touches (separating axes in float64; what touches within its rounding counts). A face
    that lies exactly on a cell border therefore marks only the cell with the larger index. The
    interior stays empty.

    Args:
        vertices_world: world frame, axes x, y, z.
        faces: vertex indices.
        resolution: cells per axis R, 1..256.

    Returns:
        Cell indices (x, y, z), lexicographically sorted, each once.

    Raises:
        ValueError: `resolution` is out of range, or a vertex that a face uses is not finite.
    """
    if not 1 <= resolution <= 256:
        raise ValueError(f"resolution: expected 1..256, got {resolution}")
    clipped = np.clip(np.asarray(vertices_world, np.float64), -0.5 + MARGIN, 0.5 - MARGIN)
    occupied = np.zeros(resolution**3, dtype=bool)
    for start in range(0, len(faces), _FACES):
        triangles = clipped[faces[start : start + _FACES]]
        if not np.isfinite(triangles).all():
            raise ValueError("a vertex that is used by a face is not finite")
        _mark(triangles, resolution, occupied)
    return _unravel(np.flatnonzero(occupied), resolution)


def _mark(triangles: Float[np.ndarray, "f 3 3"], resolution: int, occupied: np.ndarray) -> None:
    strides = np.array([resolution * resolution, resolution, 1])
    # Every corner lies in a cell that its triangle touches.
    corners = np.floor(resolution * (triangles + 0.5)).astype(np.int64)
    occupied[(corners[..., 0] * resolution + corners[..., 1]) * resolution + corners[..., 2]] = True
    # floor is monotone: the cells of the box's ends are the least and largest of the corners' cells
    low = np.minimum(np.minimum(corners[:, 0], corners[:, 1]), corners[:, 2])
    high = np.maximum(np.maximum(corners[:, 0], corners[:, 1]), corners[:, 2])
    # A triangle is connected: where its cells form a row, it touches each of them.
    wide = high > low
    row = wide.sum(axis=1) <= 1
    first, length = low[row] @ strides, (high - low)[row].max(axis=1) + 1
    along = np.where(wide[row], strides, 0).sum(axis=1)
    for owner, step in _ragged(length):
        occupied[first[owner] + step * along[owner]] = True
    rest = np.flatnonzero(~row)
    edges = triangles[rest, 1:] - triangles[rest, :1]
    dominant = np.argmax(np.abs(np.cross(edges[:, 0], edges[:, 1])), axis=1)
    for axis in range(3):
        chosen = rest[dominant == axis]
        if len(chosen):
            order = [(axis + step) % 3 for step in (1, 2, 3)]
            batch = _Batch(triangles[chosen], low[chosen], high[chosen], order, resolution)
            for owner, local in _ragged(batch.spans[0] * batch.spans[1]):
                _mark_columns(batch, owner, local, occupied)


class _Batch:
    """Triangles whose normals are largest along the same axis c, the last of the axes (a, b, c).

    All lists are by axis in that order. Corners and edges (i to i + 1) of triangles are
    (3, f). `inward` and `reach` are by pair of axes (a, b), (b, c), (c, a): the normals of the
    edges in that projection, pointing into the triangle, and what half a cell adds along them.
    """

    def __init__(
        self,
        triangles: Float[np.ndarray, "f 3 3"],
        low: Int[np.ndarray, "f 3"],
        high: Int[np.ndarray, "f 3"],
        order: list[int],
        resolution: int,
    ):
        self.resolution = resolution
        self.half = 0.5 / resolution
        self.strides = [resolution ** (2 - axis) for axis in order]
        self.low = [np.ascontiguousarray(low[:, axis]) for axis in order]
        self.high = [np.ascontiguousarray(high[:, axis]) for axis in order]
        self.spans = [h - lo + 1 for lo, h in zip(self.low, self.high, strict=True)]
        self.corners = [np.ascontiguousarray(triangles[:, :, axis].T) for axis in order]
        edges = [np.roll(corner, -1, axis=0) - corner for corner in self.corners]
        a, b, c = edges
        self.normal = [
            b[0] * c[1] - c[0] * b[1],
            c[0] * a[1] - a[0] * c[1],
            a[0] * b[1] - b[0] * a[1],
        ]
        longest = np.abs(edges).max(axis=(0, 1))
        apart = np.maximum(np.maximum(*self.spans[:2]), self.spans[2]) / resolution
        slack = ROUNDING * apart * longest
        self.normal_slack = slack * longest
        self.normal_reach = sum(np.abs(n) * self.half for n in self.normal) + self.normal_slack
        self.inward, self.reach = [], []
        for u, v, across in ((a, b, 2), (b, c, 0), (c, a, 1)):
            # the triangle lies left of its edges where its normal points to the viewer
            side = np.where(self.normal[across] < 0, -1.0, 1.0)
            self.inward.append((-side * v, side * u))
            self.reach.append(self.half * np.abs(u) + self.half * np.abs(v) + slack)

    def centred(self, axis: int, face: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return corners (3, n) of faces along an axis, relative to the centre of cell `index`."""
        return self.corners[axis].take(face, axis=1) - ((index + 0.5) / self.resolution - 0.5)


def _mark_columns(
    batch: _Batch, owner: np.ndarray, local: np.ndarray, occupied: np.ndarray
) -> None:
    """Mark cells in columns along c, numbered by `local` in the (a, b) box of triangle `owner`."""
    step_a = local // batch.spans[1].take(owner)
    index_a = batch.low[0].take(owner) + step_a
    index_b = batch.low[1].take(owner) + local - step_a * batch.spans[1].take(owner)
    first, count = _plane_range(batch, owner, index_a, index_b)
    column, step = _expand(count)
    face, cells = (
        owner.take(column),
        (index_a.take(column), index_b.take(column), first.take(column) + step),
    )
    flat = sum(index * stride for index, stride in zip(cells, batch.strides, strict=True))
    new = np.flatnonzero(~occupied.take(flat))
    for start in range(0, len(new), _ROWS):
        part = new[start : start + _ROWS]
        touched = _touched(batch, face.take(part), [index.take(part) for index in cells])
        occupied[flat[part[touched]]] = True


def _plane_range(
    batch: _Batch, owner: np.ndarray, index_a: np.ndarray, index_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return first cell and number of cells of each column that the triangle's plane may cross."""
    a = batch.corners[0][0].take(owner) - ((index_a + 0.5) / batch.resolution - 0.5)
    b = batch.corners[1][0].take(owner) - ((index_b + 0.5) / batch.resolution - 0.5)
    low, high = batch.low[2].take(owner), batch.high[2].take(owner)
    normal_a, normal_b, normal_c = (normal.take(owner) for normal in batch.normal)
    flat = normal_c == 0  # a degenerate triangle has no plane: every cell is tested
    inverse = 1.0 / np.where(flat, 1.0, normal_c)
    middle = batch.corners[2][0].take(owner) + (normal_a * a + normal_b * b) * inverse
    reach = (np.abs(normal_a) + np.abs(normal_b)) * 0.5
    reach += batch.normal_slack.take(owner) * batch.resolution
    reach = reach * np.abs(inverse) + _SLACK
    middle = (middle + 0.5) * batch.resolution
    # "- 1": a closed cell that ends where the range begins still touches it
    first = np.maximum(np.ceil(np.maximum(middle - reach, -1.0)).astype(np.int64) - 1, low)
    last = np.minimum(np.floor(np.minimum(middle + reach, 1e6)).astype(np.int64), high)
    if flat.any():
        first, last = np.where(flat, low, first), np.where(flat, high, last)
    return first, np.maximum(last - first + 1, 0)


def _touched(batch: _Batch, face: np.ndarray, cells: list[np.ndarray]) -> Int[np.ndarray, " m"]:
    """Return the positions of those pairs (face, cell) that touch.

    The axes of the cell need no test: the range of cells implies them. What is left of the
    separating axes is the plane and, in each of the three projections, the edges of the triangle.
    There, two convex polygons are apart only if one lies outside of an edge of the other, so that
    each edge is tested on its outer side alone.
    """
    corners = [batch.centred(axis, face, index) for axis, index in enumerate(cells)]
    distance = sum(
        n.take(face) * corner[0] for n, corner in zip(batch.normal, corners, strict=True)
    )
    kept = np.flatnonzero(np.abs(distance) <= batch.normal_reach.take(face))
    for pair, (u, v) in enumerate(((0, 1), (1, 2), (2, 0))):
        (inward_u, inward_v), reach = batch.inward[pair], batch.reach[pair]
        own = face.take(kept)
        inside = np.ones(len(kept), dtype=bool)
        for edge in range(3):
            outside = inward_u[edge].take(own) * corners[u][edge].take(kept)
            outside += inward_v[edge].take(own) * corners[v][edge].take(kept)
            inside &= outside <= reach[edge].take(own)
        kept = kept[inside]
    return kept


def _expand(counts: Int[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Return (owner, 0 .. count - 1) for all owners, one after another."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _ragged(counts: Int[np.ndarray, " n"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (owner, 0 .. count - 1) for all owners, in blocks of `_ROWS` (owners may be split)."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _ROWS):
        stop = min(start + _ROWS, total)
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, stop, side="left"))
        begins = ends[first : last + 1] - counts[first : last + 1]
        clipped = np.minimum(ends[first : last + 1], stop) - np.maximum(begins, start)
        owner = np.repeat(np.arange(first, last + 1), clipped)
        yield owner, np.arange(start, stop) - np.repeat(begins, clipped)


def _unravel(flat: Int[np.ndarray, " n"], resolution: int) -> UInt8[np.ndarray, "n 3"]:
    return np.stack(np.unravel_index(flat, (resolution,) * 3), axis=1).astype(np.uint8)


def occupancy(cells: UInt8[np.ndarray, "n 3"], resolution: int = 64) -> Float[np.ndarray, "r r r"]:
    """Return the dense grid of 0 and 1 (float32), axes x, y, z."""
    grid = np.zeros((resolution,) * 3, dtype=np.float32)
    grid[tuple(np.asarray(cells, np.int64).T)] = 1.0
    return grid


def centres(cells: Int[np.ndarray, "n 3"], resolution: int) -> Float[np.ndarray, "n 3"]:
    """Return cell centres in the unit box, (i + 0.5) / resolution - 0.5."""
    return (np.asarray(cells, np.float64) + 0.5) / resolution - 0.5


def cell_of_points(points: Float[np.ndarray, "n 3"], resolution: int) -> Int[np.ndarray, "n 3"]:
    """Return floor(resolution * (x + 0.5)) per axis, clipped into the grid."""
    cells = np.floor(resolution * (np.asarray(points, np.float64) + 0.5)).astype(np.int64)
    return np.clip(cells, 0, resolution - 1)


def split_yaws(arrays: dict[str, np.ndarray]) -> list[UInt8[np.ndarray, "n 3"]]:
    """Split the cells of all poses (yaws, rotations) of a voxel store's item (`cells`, `cell_counts`)."""
    return np.split(arrays["cells"], np.cumsum(arrays["cell_counts"])[:-1])
