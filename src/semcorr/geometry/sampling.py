"""Points on the surface of a mesh: areas, area-uniform samples, positions of samples."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh

# Twice the area of a triangle below this share of its longest edge squared is rounding, not area.
_FLAT = 1e-12
# Faces handled at a time: bounds the temporaries to some 100 MB whatever the size of the mesh.
_FACES = 1 << 18


def face_areas(mesh: Mesh) -> Float[np.ndarray, " f"]:
    """Return the area of every face, in squared units of the mesh's frame."""
    return _in_blocks(mesh, lambda triangles: 0.5 * np.linalg.norm(_cross(triangles), axis=1))


def degenerate_faces(mesh: Mesh) -> Bool[np.ndarray, " f"]:
    """Tell the faces of a mesh that have no area (see `is_degenerate`)."""
    return _in_blocks(mesh, is_degenerate)


def is_degenerate(triangles: Float[np.ndarray, "f 3 3"]) -> Bool[np.ndarray, " f"]:
    """Tell triangles without area: coincident or collinear corners, whatever the scale."""
    edges = np.stack([triangles[:, (k + 1) % 3] - triangles[:, k] for k in range(3)])
    longest = np.linalg.norm(edges, axis=2).max(axis=0)
    # scaled first: squares of tiny edges would underflow
    scale = np.where(longest > 0, longest, 1.0)[:, None, None]
    origin = triangles[:, :1]
    return np.linalg.norm(_cross((triangles - origin) / scale), axis=1) <= _FLAT


def _in_blocks(mesh: Mesh, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    blocks = [
        function(mesh.vertices[mesh.faces[start : start + _FACES]])
        for start in range(0, len(mesh.faces), _FACES)
    ]
    return np.concatenate(blocks) if blocks else function(mesh.triangles)


def _cross(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def sample_surface(
    mesh: Mesh, count: int, seed: int
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Draw area-uniform points, the same for the same mesh and seed.

    The unit interval of cumulated area is cut into `count` equal parts with one point in each, and
    the points are shuffled: shares of area come out with less noise than from independent draws,
    and the first k points are still uniform. Faces without area are never drawn.

    Args:
        mesh: in any frame.
        count: number of points.
        seed: from `seed_of`.

    Returns:
        face_index: (n,) int32.
        barycentric: (n, 3) float64 weights of the face's corners, not negative, sum 1.

    Raises:
        ItemError: no face has an area.
        ValueError: `count` is negative.
    """
    areas = np.where(degenerate_faces(mesh), 0.0, face_areas(mesh))
    total = np.cumsum(areas)
    if not len(total) or not total[-1] > 0:
        raise ItemError("no face of the mesh has an area")
    random = np.random.Generator(np.random.PCG64(seed))
    place = (np.arange(count) + random.random(count)) / max(count, 1) * total[-1]
    place = place[random.permutation(count)]
    # 'right' steps over faces without area; rounding at the upper end must not leave the last one
    face = np.minimum(np.searchsorted(total, place, side="right"), np.flatnonzero(areas)[-1])
    root, along = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1.0 - root, root * (1.0 - along), root * along], axis=1)
    return face.astype(np.int32), weights


def positions_at(
    mesh: Mesh, face_index: Int[np.ndarray, " n"], barycentric: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Return the positions of surface points in the frame of the mesh, (n, 3) float64."""
    return np.einsum("nc,ncd->nd", barycentric, mesh.vertices[mesh.faces[face_index]])
