"""Kind `depth_anything`: depth guessed from colours, in the scale of the views."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import nn
from torch.nn import functional

from semcorr.config.kinds.depth_anything import Options
from semcorr.errors import ItemError
from semcorr.features.image_networks import compute_in
from semcorr.features.lifting import on_background
from semcorr.features.networks import TYPES
from semcorr.features.upstream import Upstream
from semcorr.networks.backbone_spec import IMAGENET_MEAN, IMAGENET_STD
from semcorr.networks.devices import device_of
from semcorr.networks.transformers_models import load_model
from semcorr.store.items import Arrays

# Raised by hand when what this kind computes changes, here or in what it imports
VERSION = 1
RAGGED = frozenset()
# Fitted inverse depths below this lie behind the camera or at infinity
MIN_INVERSE = 1e-3


@contextmanager
def extractor(options: Options, upstream: Upstream) -> Iterator[Callable[[str], Arrays]]:
    """Load the network and yield the function id -> {depth, inverse_depth}, both (views, h, w) float32.

    `inverse_depth` is what the network says: larger is nearer, scale and offset mean nothing.
    `depth` is along the optical axis in the scale of the views, 0 where no ray hits (see `fitted`).
    """
    torch.set_num_threads(upstream.threads)
    model = load_model("depth_anything", upstream.weights["weights"], device_of(upstream.device))
    if TYPES[upstream.precision] != torch.float32:
        compute_in(model, TYPES[upstream.precision])

    def compute(item_id: str) -> Arrays:
        views = upstream.renders.read(item_id, ("rgba", "depth"))
        pictures = on_background(views["rgba"], options.background)
        pictures = np.rint(pictures * 255).astype(np.uint8)
        guessed = np.stack([inverse_depth(model, picture, options.size) for picture in pictures])
        if not np.isfinite(guessed).all():
            raise ItemError("guessed depth is not finite")
        depth = np.stack([fitted(*pair) for pair in zip(guessed, views["depth"], strict=True)])
        return {"depth": depth, "inverse_depth": guessed}

    yield compute


@torch.no_grad()
def inverse_depth(
    model: nn.Module, picture: UInt8[np.ndarray, "h w 3"], size: int
) -> Float[np.ndarray, "h w"]:
    """Ask the network for one picture.

    Args:
        model: transformers' DepthAnythingForDepthEstimation.
        picture: RGB.
        size: shorter side that the network is given, pixels, rounded to whole patches.

    Returns:
        float32 relative inverse depth at the picture's size.
    """
    values = network_input(picture, size, model.config.patch_size)
    answer = model(pixel_values=values.to(model.device)).predicted_depth.float()
    back = functional.interpolate(answer[:, None], picture.shape[:2], mode="bilinear")
    return back[0, 0].cpu().numpy()


def network_input(
    picture: UInt8[np.ndarray, "h w 3"], size: int, patch: int
) -> Float[torch.Tensor, "1 3 h2 w2"]:
    """Resize so that the shorter side is `size`, both sides whole patches, and normalise."""
    scale = size / min(picture.shape[:2])
    height, width = (max(1, round(side * scale / patch)) * patch for side in picture.shape[:2])
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    values = (np.asarray(resized, np.float32) / 255 - np.float32(IMAGENET_MEAN)) / np.float32(
        IMAGENET_STD
    )
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()


def fitted(
    guessed: Float[np.ndarray, "h w"], exact: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Give a guess the scale of a view: 1 / (a guess + b), with a and b that fit its inverse depth best.

    Args:
        guessed: relative inverse depth.
        exact: along the optical axis, 0 = no hit.

    Returns:
        float32, 0 where nothing is hit or the fit has no positive inverse depth.
    """
    hit = exact > 0
    depth = np.zeros(exact.shape, np.float32)
    if hit.any():
        values = guessed[hit].astype(np.float64)
        wanted = 1 / exact[hit].astype(np.float64)
        offsets = values - values.mean()
        spread = offsets @ offsets
        slope = offsets @ wanted / spread if spread > 0 else 0.0
        inverse = slope * offsets + wanted.mean()
        depth[hit] = np.where(inverse > MIN_INVERSE, 1 / np.maximum(inverse, MIN_INVERSE), 0)
    return depth
