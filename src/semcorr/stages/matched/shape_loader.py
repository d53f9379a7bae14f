"""Shapes as matchers read them, put together from meshes, features and voxels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semcorr.features.arrays import SITES
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, sites_of
from semcorr.geometry.voxels import split_yaws
from semcorr.matching.shape import Shape
from semcorr.stages.matched.pose_pairs import find_item
from semcorr.store.chunk import ChunkReader

# Item id -> the chunk that holds it, or what reads like one
Readers = Mapping[str, ChunkReader]


@dataclass(frozen=True)
class ShapeLoader:
    """Loads one side of a pair.

    Attributes:
        array: of the features that the method reads, None for none.
        meshes: where meshes are.
        features: where features are, for an `array`.
        voxels: where the voxels behind grids of features are.
        poses: how many poses of grids are kept, None for all.
    """

    array: str | None
    meshes: Readers
    features: Readers = field(default_factory=dict)
    voxels: Readers = field(default_factory=dict)
    poses: int | None = None

    def load(self, item_id: str) -> Shape:
        """Return the shape; raise ItemError (upstream_failed) when a part of it is missing."""
        sites = sites_of(find_item(self.meshes, item_id, SITE_ARRAYS))
        return Shape(
            sites.positions,
            sites.num_vertices,
            name=item_id,
            on_surface=sites.on_surface,
            **self._described(item_id),
        )

    def _described(self, item_id: str) -> dict[str, Any]:
        if self.array is None:
            return {}
        values = find_item(self.features, item_id, (self.array,))[self.array]
        # grids of many poses stay as they are stored: matchers widen those that they compare
        if self.array == SITES:
            return {SITES: values.astype(np.float32)}
        voxels = find_item(self.voxels, item_id)
        return {
            # a view would hold on to all of them
            "grids": values if self.poses is None else values[: self.poses].copy(),
            "voxels": tuple(split_yaws(voxels))[: self.poses],
            "turned_from_world": voxels["turned_from_world"][: self.poses],
            "voxel_resolution": self.voxels[item_id].attributes["cfg"]["resolution"],
        }
