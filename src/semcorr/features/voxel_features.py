"""Image features of voxels: the mean over all views of what a view shows at a voxel's centre.

The input of the structured-latent encoder (HNSR section 3.6). No view is left out where the voxel is
hidden: the published networks were trained on that.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from semcorr.cameras import Cameras, project
from semcorr.errors import ItemError
from semcorr.features.conditions import PICTURE_SIZE, normalised
from semcorr.networks.dino import DinoViT


def whole_picture(
    rgba: UInt8[np.ndarray, "h w 4"], size: int = PICTURE_SIZE
) -> Float[np.ndarray, "s s 3"]:
    """Resize a whole picture and put it on black.

    Unlike `conditions.prepare_picture` nothing is cropped and nothing rounded back to 8 bits.

    Args:
        rgba: rendering.
        size: side of the result, pixels.

    Returns:
        float32 RGB in 0..1.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise ValueError(f"expected (h, w, 4) uint8, got {rgba.shape} {rgba.dtype}")
    picture = Image.fromarray(rgba).resize((size, size), Image.Resampling.LANCZOS)
    values = np.asarray(picture).astype(np.float32) / 255
    return values[..., :3] * values[..., 3:]


def voxel_places(cameras: Cameras, centres: Float[np.ndarray, "n 3"]) -> Float[Tensor, "v n 2"]:
    """Where the views show voxels: (x, y) in 0..1 from the top left corner of the picture.

    Args:
        cameras: of the views.
        centres: of the voxels, world frame.

    Returns:
        float32; may leave 0..1.

    Raises:
        ItemError: a voxel lies behind a camera.
    """
    pixels, depth = project(cameras, centres)
    if depth.min(initial=np.inf) <= 0:
        raise ItemError("a voxel lies behind a camera: its features cannot be read off the views")
    return torch.from_numpy(pixels / (cameras.width, cameras.height)).float()


@torch.inference_mode()
def samples_of_views(
    encoder: DinoViT,
    pictures: Sequence[UInt8[np.ndarray, "h w 4"]],
    places: Float[Tensor, "v n 2"],
    size: int = PICTURE_SIZE,
) -> Iterator[Float[Tensor, "n c"]]:
    """Patch tokens of each view at the voxels, bilinear, zero beyond the picture.

    Args:
        encoder: DINOv2 layout; its tokens before the final norm are taken.
        pictures: RGBA renderings.
        places: see `voxel_places`.
        size: side of the pictures given to the network, a multiple of its patch.

    Yields:
        float32 features on the CPU, one view after the other.
    """
    if len(pictures) != len(places):
        raise ValueError(f"pictures: expected {len(places)}, got {len(pictures)}")
    device = encoder.cls_token.device
    for rgba, place in zip(pictures, places, strict=True):
        tokens = encoder(normalised(whole_picture(rgba, size)[None]).to(device))
        grid = tokens.patches(tokens.prenorm).float().cpu()
        found = F.grid_sample(grid, place[None, None] * 2 - 1, "bilinear", align_corners=False)
        yield found[0, :, 0].T


def voxel_features(
    encoder: DinoViT,
    pictures: Sequence[UInt8[np.ndarray, "h w 4"]],
    cameras: Cameras,
    centres: Float[np.ndarray, "n 3"],
    size: int = PICTURE_SIZE,
) -> Float[np.ndarray, "n c"]:
    """Mean over all views of the patch tokens at the voxels.

    Args:
        encoder: DINOv2 layout.
        pictures: RGBA renderings.
        cameras: of the views.
        centres: of the voxels, world frame.
        size: side of the pictures given to the network, a multiple of its patch.

    Returns:
        float32 features.

    Raises:
        ItemError: there is no view or no voxel, a voxel behind a camera, a value that is not finite.
    """
    if not len(pictures) or not len(centres):
        raise ItemError(f"{len(pictures)} views of {len(centres)} voxels: nothing to read off")
    total = None
    for found in samples_of_views(encoder, pictures, voxel_places(cameras, centres), size):
        total = found if total is None else total + found
    mean = (total / len(pictures)).numpy()
    if not np.isfinite(mean).all():
        raise ItemError("voxel features are not finite")
    return mean
