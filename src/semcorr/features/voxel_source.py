"""From the stores of an item to features of its voxels, and from voxels to the sites of a shape."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.cameras import Cameras
from semcorr.features.conditions import token_encoder
from semcorr.features.image_networks import open_backbone
from semcorr.features.upstream import Upstream
from semcorr.features.voxel_features import voxel_features
from semcorr.geometry.voxels import centres, split_yaws

VIEW_ARRAYS = ("rgba", "cam_from_world", "intrinsics")
ItemVoxels = tuple[Int[np.ndarray, "n 3"], Float[np.ndarray, "n c"]]


def voxel_source(
    backbone: str, weights: Path, size: int, upstream: Upstream
) -> Callable[[str], ItemVoxels]:
    """Load an image encoder; return the function id -> occupied cells and their image features.

    Args:
        backbone: registry name of a vision transformer.
        weights: its small JSON.
        size: side of the pictures given to it, pixels.
        upstream: with renders, and voxels of one pose.
    """
    encoder = token_encoder(open_backbone(backbone, weights, upstream))
    resolution = upstream.voxels.attributes["cfg"]["resolution"]

    def read(item_id: str) -> ItemVoxels:
        (cells,) = split_yaws(upstream.voxels.read(item_id))
        views = upstream.renders.read(item_id, VIEW_ARRAYS)
        height, width = views["rgba"].shape[1:3]
        cameras = Cameras(views["cam_from_world"], views["intrinsics"], height, width)
        places = centres(cells, resolution)
        return cells, voxel_features(encoder, list(views["rgba"]), cameras, places, size)

    return read


def at_sites(
    features: Float[np.ndarray, "n c"],
    cells: Int[np.ndarray, "n 3"],
    resolution: int,
    sites: Float[np.ndarray, "s 3"],
) -> Float[np.ndarray, "s c"]:
    """Features of the occupied cell whose centre is nearest to each site.

    Args:
        features: of the cells.
        cells: occupied cells.
        resolution: cells per axis.
        sites: world positions.

    Returns:
        Rows of `features`.
    """
    _, rows = cKDTree(centres(cells, resolution)).query(sites)
    return features[rows]
