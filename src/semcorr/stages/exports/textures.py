"""Textures of pairs for export: everything that a source or a target needs is prepared once."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int, UInt8

from semcorr.geometry.atlas import Atlas, atlas_of
from semcorr.geometry.closest import Surface
from semcorr.geometry.mesh import Mesh
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.transfer.carry import SurfacePoints
from semcorr.transfer.parts import by_parts
from semcorr.transfer.texture import (
    Baked,
    Follow,
    Paint,
    bake,
    dense,
    has_texture,
    vertex_colours,
)


def itself(points: SurfacePoints):
    """Follow no map: the colours of a shape on the shape."""
    return points.face, points.weights, np.ones(len(points.face), bool)


class Textures:
    """Transfers between the shapes of one pose.

    Args:
        pairs: of the pose.
        size: pixels a side of baked textures.
        padding: pixels beyond a seam.
    """

    def __init__(self, pairs: PosePairs, size: int, padding: int):
        self._pairs = pairs
        self._size, self._padding = size, padding
        self._mesh = lru_cache(2)(pairs.mesh)
        self.atlas = lru_cache(64)(self._atlas)
        self._surface = lru_cache(1)(lambda item_id: Surface(self._mesh(item_id)))
        self._paint = lru_cache(1)(lambda item_id: Paint(self._mesh(item_id)))
        self.textured = lru_cache(None)(lambda item_id: has_texture(pairs.mesh(item_id)))

    def _atlas(self, item_id: str) -> Atlas:
        return atlas_of(self._mesh(item_id), self._size, self._padding)

    def dense(self, source: str, target: str, target_to_source: Int[np.ndarray, " t"]) -> Follow:
        """Return the dense transfer of a pair."""
        return dense(
            self._surface(source),
            self._pairs.sites(target),
            self._pairs.sites(source).positions,
            target_to_source,
        )

    def by_parts(
        self,
        source: str,
        target: str,
        target_to_source: Int[np.ndarray, " t"],
        face_labels: Int[np.ndarray, " f"],
        target_labels: Int[np.ndarray, " t"],
    ) -> Follow:
        """Return the transfer by parts of a pair; dense where a part is missing."""
        return by_parts(
            self._mesh(source),
            self._pairs.sites(source),
            face_labels,
            self._pairs.sites(target),
            target_labels,
            target_to_source,
            self.dense(source, target, target_to_source),
        )

    def mesh(self, item_id: str) -> Mesh:
        """Return a shape with its appearance."""
        return self._mesh(item_id)

    def baked(self, source: str, item_id: str, follow: Follow) -> Baked:
        """Return the source's colours as a texture of a shape."""
        return bake(
            self._paint(source),
            follow,
            self._mesh(item_id),
            self.atlas(item_id),
            self._size,
            self._padding,
        )

    def at_vertices(self, source: str, item_id: str, follow: Follow) -> UInt8[np.ndarray, "v 3"]:
        """Return the source's colours at the vertices of a shape."""
        return vertex_colours(
            self._paint(source), follow, self._mesh(item_id), self._pairs.sites(item_id)
        )
