"""Kind `lifted`: features of a frozen image network on the sites of a shape."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from semcorr.cameras import Cameras
from semcorr.config.kinds.lifted import Options
from semcorr.features.image_networks import open_backbone
from semcorr.features.lifting import LiftOptions, cut_out, lift, on_background, view_maps
from semcorr.features.upstream import Upstream
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, sites_of
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset({"site_features", "hits"})
VIEW_ARRAYS = ("rgba", "depth", "cam_from_world", "intrinsics")


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the network and yield the function id -> {site_features: (n, c) float16, hits: (n,)}."""
    backbone = open_backbone(options.backbone, upstream.weights["weights"], upstream)
    lifting = LiftOptions(
        layers=options.layers,
        network_size=options.size,
        centre=options.centre,
        cells_at_corners=backbone.spec.preprocessing.cells_at_corners,
        tolerance=options.tolerance,
    )

    def compute(item_id: str) -> Arrays:
        views = upstream.renders.read(item_id, VIEW_ARRAYS)
        sites = sites_of(upstream.meshes.read(item_id, SITE_ARRAYS))
        height, width = views["depth"].shape[1:]
        cameras = Cameras(views["cam_from_world"], views["intrinsics"], height, width)
        rgba, depth = views["rgba"], views["depth"]
        if options.depth is not None:
            depth = upstream.depth.read(item_id, ("depth",))["depth"]
        if options.mask is not None:
            rgba, depth = cut_out(rgba, depth, upstream.masks.read(item_id, ("mask",))["mask"])
        pictures = on_background(rgba, options.background)
        maps = view_maps(backbone, pictures, options.layers, options.size)
        lifted = lift(maps, depth, cameras, sites.positions, lifting)
        return {"site_features": lifted.features, "hits": lifted.hits.astype(np.int32)}

    yield compute
