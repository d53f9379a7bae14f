"""Rays against one shape, with Embree.

Embree says which triangle; where on it is computed again in double precision, so that barycentrics
reproduce the hit point to about 1e-7 whatever the shape of the triangle.

Vectors of many points are stored component first, (3, p): that keeps every numpy operation on long
contiguous rows and is several times faster than (p, 3).
"""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Bool, Float, Int

from semcorr.errors import ItemError
from semcorr.geometry.frames import used_box
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.normals import corner_normals, face_normals


def dot(a: Float[np.ndarray, "3 p"], b: Float[np.ndarray, "3 p"]) -> Float[np.ndarray, " p"]:
    """Inner products of vectors stored component first."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Float[np.ndarray, "3 p"], b: Float[np.ndarray, "3 p"]) -> Float[np.ndarray, "3 p"]:
    """Cross products of vectors stored component first."""
    product = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, b))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        product[i] = a[j] * b[k] - a[k] * b[j]
    return product


def corners_first(values: Float[np.ndarray, "f 3 c"]) -> Float[np.ndarray, "3 c f"]:
    """Values at face corners as (corner, component, face), the layout that `blend` reads."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))


def blend(
    corners: Float[np.ndarray, "3 c f"],
    face_id: Int[np.ndarray, " p"],
    weights: Float[np.ndarray, "3 p"],
) -> Float[np.ndarray, "c p"]:
    """Barycentric interpolation of values at face corners (see `corners_first`)."""
    total = np.take(corners[0], face_id, axis=1) * weights[0]
    for corner in (1, 2):
        total += np.take(corners[corner], face_id, axis=1) * weights[corner]
    return total


@dataclass(frozen=True)
class Hits:
    """First intersections of rays with the shape; rays that miss have no entry.

    Attributes:
        ray: (p,) index of the ray.
        face_id: (p,) int32.
        weights: (3, p) barycentric weights, each 0..1, sum 1.
        depth: (p,) ray parameter, in units of the direction's length.
        direction: (3, p) directions of the rays.
        origin: (3,) where the rays start.
    """

    ray: Int[np.ndarray, " p"]
    face_id: Int[np.ndarray, " p"]
    weights: Float[np.ndarray, "3 p"]
    depth: Float[np.ndarray, " p"]
    direction: Float[np.ndarray, "3 p"]
    origin: Float[np.ndarray, " 3"]


class RayCaster:
    """A shape prepared for rays.

    Args:
        mesh: at least one face, finite vertices.
        crease_deg: edges sharper than this are hard in `normals`, see `normals.corner_normals`.

    Raises:
        ItemError: no faces, or vertices that are not finite.
    """

    def __init__(self, mesh: Mesh, crease_deg: float = 0.0):
        if not len(mesh.faces):
            raise ItemError("render: the mesh has no faces")
        if not np.isfinite(mesh.vertices).all():
            raise ItemError("render: vertices are not finite")
        self.mesh = mesh
        self.extent = float(np.ptp(used_box(mesh.vertices, mesh.faces), axis=0).max())
        # what needs most memory on the way comes first
        smooth = corner_normals(mesh.vertices, mesh.faces, crease_deg).astype(np.float32)
        self._smooth = corners_first(smooth)
        del smooth
        self._flat = np.ascontiguousarray(face_normals(mesh.triangles).T.astype(np.float32))
        self._corners = corners_first(mesh.triangles)
        self._scene = EmbreeScene(robust=True)
        self._surface = TriangleMesh(
            self._scene, mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
        )

    def cast(
        self,
        origin: Float[np.ndarray, " 3"],
        directions: Float[np.ndarray, "p 3"],
        exact: bool = True,
    ) -> Hits:
        """First hits of rays from one point.

        Args:
            origin: where all rays start.
            directions: (p, 3), of any length.
            exact: weights and depth in double precision; Embree's single precision otherwise.
        """
        directions32 = np.ascontiguousarray(directions, dtype=np.float32)
        origins32 = np.empty_like(directions32)
        origins32[:] = origin
        if exact:
            face_id = self._scene.run(origins32, directions32)
            ray = np.flatnonzero(face_id >= 0)
            face_id = face_id[ray]
            direction = np.ascontiguousarray(directions[ray].T, dtype=np.float64)
            weights, depth = self._intersect(face_id, origin, direction)
            return Hits(ray, face_id, weights, depth, direction, np.asarray(origin))
        found = self._scene.run(origins32, directions32, output=1)
        ray = np.flatnonzero(found["primID"] >= 0)
        u, v = found["u"][ray], found["v"][ray]
        direction = np.ascontiguousarray(directions32[ray].T)
        weights = np.stack([1.0 - u - v, u, v])
        depth, face_id = found["tfar"][ray], found["primID"][ray]
        return Hits(ray, face_id, weights, depth, direction, np.asarray(origin))

    def _intersect(self, face_id, origin, direction):
        """Where rays meet the planes of given faces, clipped to the faces."""
        first, second, third = (np.take(corner, face_id, axis=1) for corner in self._corners)
        along, across = second - first, third - first
        start = np.asarray(origin, dtype=np.float64)[:, None] - first
        pvec, qvec = cross(direction, across), cross(start, along)
        volume = dot(along, pvec)
        volume[np.abs(volume) < 1e-300] = 1e-300
        u, v = dot(start, pvec) / volume, dot(direction, qvec) / volume
        weights = np.clip(np.stack([1.0 - u - v, u, v]), 0.0, 1.0)
        return weights / weights.sum(axis=0), dot(across, qvec) / volume

    def blocked(
        self, origins: Float[np.ndarray, "3 p"], towards: Float[np.ndarray, "3 p"]
    ) -> Bool[np.ndarray, " p"]:
        """True where the shape lies between an origin and the end of its `towards` vector."""
        if not origins.shape[1]:
            return np.zeros(0, dtype=bool)
        found = self._scene.run(
            np.ascontiguousarray(origins.T, dtype=np.float32),
            np.ascontiguousarray(towards.T, dtype=np.float32),
            dists=np.ones(origins.shape[1], dtype=np.float32),
            query="OCCLUDED",
        )
        return found >= 0

    def normals(self, hits: Hits) -> tuple[Float[np.ndarray, "3 p"], Float[np.ndarray, "3 p"]]:
        """Unit face normals and shading normals of hits, float32, turned towards the rays' origin.

        Both turn with the face: a shading normal may look slightly away at the outline.
        """
        direction = hits.direction.astype(np.float32, copy=False)
        flat = np.take(self._flat, hits.face_id, axis=1)
        smooth = blend(self._smooth, hits.face_id, hits.weights.astype(np.float32, copy=False))
        length = np.sqrt(dot(smooth, smooth))
        vanishing = np.flatnonzero(length < 1e-4)
        smooth[:, vanishing], length[vanishing] = flat[:, vanishing], 1.0
        side = np.where(dot(flat, direction) > 0, np.float32(-1.0), np.float32(1.0))
        return flat * side, smooth * (side / length)
