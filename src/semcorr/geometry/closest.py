"""Closest points on the surface of a mesh, exact, for many points at once."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.sampling import face_areas, is_degenerate

# Large faces are cut into pieces, so that a piece's centre says where it is
_PIECES = 12_000
_MOST_PIECES = 400_000
# Pairs (point, piece) looked at in one go; bounds the memory
_PAIRS = 2_000_000
_FIRST_NEIGHBOURS = 12


class Surface:
    """The faces of a mesh prepared for closest points; faces without area are left out.

    Every face is cut into similar pieces of at most a common size. A piece lies within its radius
    of its centre, so once the nearest k centres are looked at and the k-th is further away than the
    best distance plus the largest radius, no other piece can be closer. Points for which that does
    not hold yet look at more pieces.

    Args:
        mesh: in any frame.
        faces: which faces take part; all if None.

    Raises:
        ItemError: none of the faces has an area.
    """

    def __init__(self, mesh: Mesh, faces: Int[np.ndarray, " n"] | None = None):
        chosen = np.arange(len(mesh.faces)) if faces is None else np.unique(faces)
        chosen = chosen[~is_degenerate(mesh.triangles[chosen])]
        if not len(chosen):
            raise ItemError("closest points: no face of the mesh has an area")
        self._triangles = mesh.triangles
        triangles = self._triangles[chosen]
        cuts = _cuts(triangles, float(face_areas(mesh)[chosen].sum()))
        centres, face, radius = _pieces(triangles, cuts)
        # a tree for each range of sizes: few large pieces must not spoil the bound of many small ones
        size = np.floor(np.log2(np.maximum(radius, radius.max() * 2.0**-20)) / 2.0).astype(int)
        self._classes = []
        for step in np.unique(size)[::-1]:
            rows = np.flatnonzero(size == step)
            tree = cKDTree(centres[rows])
            self._classes.append((tree, chosen[face[rows]], float(radius[rows].max())))

    def closest(
        self, points: Float[np.ndarray, "n 3"]
    ) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
        """Return face, barycentric weights (not negative, sum 1) and distance of the closest point.

        Raises:
            ValueError: points of a wrong shape or not finite.
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points: expected (n, 3), got {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("points: NaN or infinite coordinates")
        best = _Best(len(points))
        for tree, face, radius in self._classes:
            self._search(points, best, tree, face, radius)
        return best.face, best.weights, np.sqrt(best.squared)

    def _search(self, points, best, tree, face, radius) -> None:
        """Improve `best` by the pieces of one class, exactly."""
        open_rows = np.arange(len(points))
        neighbours = min(_FIRST_NEIGHBOURS, tree.n)
        while len(open_rows):
            unsure = []
            step = max(1, _PAIRS // neighbours)
            for start in range(0, len(open_rows), step):
                rows = open_rows[start : start + step]
                distance, piece = tree.query(points[rows], k=neighbours)
                distance, piece = distance.reshape(len(rows), -1), piece.reshape(len(rows), -1)
                for column in range(neighbours):
                    # the bound again after every column: most of the later ones are never measured
                    near = distance[:, column] - radius < np.sqrt(best.squared[rows])
                    chosen = rows[near]
                    self._measure(points, best, chosen, face[piece[near, column]])
                unsure.append(rows[distance[:, -1] - radius < np.sqrt(best.squared[rows])])
            if neighbours == tree.n:
                return
            open_rows = np.concatenate(unsure)
            neighbours = min(4 * neighbours, tree.n)

    def _measure(self, points, best, rows, face) -> None:
        weights, squared = closest_on_triangles(points[rows], self._triangles[face])
        # the smallest face of equally close ones, in whatever order pieces are met
        better = (squared < best.squared[rows]) | (
            (squared == best.squared[rows]) & (face < best.face[rows])
        )
        rows = rows[better]
        best.squared[rows], best.face[rows] = squared[better], face[better]
        best.weights[rows] = weights[better]


class _Best:
    """The closest point found so far of every query."""

    def __init__(self, count: int):
        self.squared = np.full(count, np.inf)
        self.face = np.zeros(count, np.int64)
        self.weights = np.zeros((count, 3))


def closest_on_triangles(
    points: Float[np.ndarray, "n 3"], triangles: Float[np.ndarray, "n 3 3"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Return weights and squared distance of the closest point of each point's own triangle.

    It is the foot of the perpendicular where that lies inside, else the closest point of an edge.
    """
    first, second, third = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    along, across, offset = second - first, third - first, points - first
    aa, ac, cc = _dot(along, along), _dot(along, across), _dot(across, across)
    ao, co = _dot(along, offset), _dot(across, offset)
    area = aa * cc - ac * ac
    flat = area <= 0
    area = np.where(flat, 1.0, area)
    v, w = (cc * ao - ac * co) / area, (aa * co - ac * ao) / area
    weights = np.stack([1.0 - v - w, v, w], axis=1)
    outside = np.flatnonzero(flat | (weights < 0).any(axis=1))
    if len(outside):
        weights[outside] = _on_edges(points[outside], triangles[outside])
    gap = (weights[:, None] @ triangles)[:, 0] - points
    return weights, _dot(gap, gap)


def _on_edges(points, triangles):
    best, weights = np.full(len(points), np.inf), np.zeros((len(points), 3))
    for start in range(3):
        end = (start + 1) % 3
        edge, offset = triangles[:, end] - triangles[:, start], points - triangles[:, start]
        length = _dot(edge, edge)
        place = np.clip(_dot(edge, offset) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        gap = offset - place[:, None] * edge
        squared = _dot(gap, gap)
        better = squared < best
        best[better] = squared[better]
        weights[better] = 0.0
        weights[better, start], weights[better, end] = 1.0 - place[better], place[better]
    return weights


def _dot(a, b):
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def _cuts(triangles, area: float) -> Int[np.ndarray, " f"]:
    """Into how many parts the edges of every face are cut."""
    edges = np.stack([triangles[:, (k + 1) % 3] - triangles[:, k] for k in range(3)])
    longest = np.linalg.norm(edges, axis=2).max(axis=0)
    size = np.sqrt(2.0 * area / _PIECES)
    while True:
        cuts = np.ceil(longest / size)
        if (cuts**2).sum() <= max(_MOST_PIECES, 2 * len(triangles)):
            return cuts.astype(np.int64)
        size *= 2.0


def _pieces(triangles, cuts):
    """Return centres, row of `triangles` and radius of all pieces (n^2 similar ones a face)."""
    corners = np.linalg.norm(triangles - triangles.mean(axis=1, keepdims=True), axis=2).max(axis=1)
    centres, face = [], []
    for n in np.unique(cuts):
        rows = np.flatnonzero(cuts == n)
        weights = _piece_weights(int(n))
        centres.append(np.einsum("pk,fkc->fpc", weights, triangles[rows]).reshape(-1, 3))
        face.append(np.repeat(rows, len(weights)))
    face = np.concatenate(face)
    return np.concatenate(centres), face, corners[face] / cuts[face]


def _piece_weights(n: int) -> Float[np.ndarray, "p 3"]:
    """Barycentric weights of the centres of n^2 similar pieces of a triangle."""
    i, j = (grid.ravel() for grid in np.mgrid[0:n, 0:n])
    upright, inverted = i + j < n, i + j < n - 1
    third = np.concatenate([i[upright] + 1 / 3, i[inverted] + 2 / 3]) / n
    second = np.concatenate([j[upright] + 1 / 3, j[inverted] + 2 / 3]) / n
    return np.stack([1.0 - second - third, second, third], axis=1)
