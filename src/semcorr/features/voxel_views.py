"""Kind `voxel_views`: image features averaged over all views at the voxels, on the sites of a shape."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from semcorr.config.kinds.voxel_views import Options
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_source import at_sites, voxel_source
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, sites_of
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset({"site_features"})


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the image encoder and yield the function id -> {site_features: (n, c) float16}."""
    resolution = upstream.voxels.attributes["cfg"]["resolution"]
    weights, size = upstream.weights["weights"], options.image_size
    read = voxel_source(options.backbone, weights, size, upstream)

    def compute(item_id: str) -> Arrays:
        cells, features = read(item_id)
        sites = sites_of(upstream.meshes.read(item_id, SITE_ARRAYS)).positions
        rows = at_sites(features, cells, resolution, sites)
        return {"site_features": rows.astype(np.float16)}

    yield compute
