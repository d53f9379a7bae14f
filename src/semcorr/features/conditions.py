"""Condition tokens of the flow network: pictures through a DINOv2 encoder (HNSR section 3.1)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Num, UInt8
from PIL import Image
from torch import Tensor

from semcorr.errors import ItemError, UserError
from semcorr.networks.backbone_spec import IMAGENET_MEAN, IMAGENET_STD
from semcorr.networks.backbones import Backbone
from semcorr.networks.dino import DinoViT

PICTURE_SIZE = 518
# Part of the object that fills the picture, and the alpha (of 255) from which a pixel is object.
CROP_MARGIN = 1.2
ALPHA_THRESHOLD = 0.8 * 255
TOKEN_EPS = 1e-5


def crop_box(alpha: UInt8[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """Square around the object, 1.2 times its longer side.

    Args:
        alpha: coverage of the picture.

    Returns:
        (left, top, right, bottom) in pixels; may be half-integer and may leave the picture.

    Raises:
        ItemError: no pixel is covered.
    """
    rows, columns = np.nonzero(alpha > ALPHA_THRESHOLD)
    if not len(rows):
        raise ItemError("picture shows no object: no pixel with alpha above 204")
    x0, x1, y0, y1 = (int(v) for v in (columns.min(), columns.max(), rows.min(), rows.max()))
    # The published box counts x1 - x0 pixels, not one more.
    half = int(max(x1 - x0, y1 - y0) * CROP_MARGIN) // 2
    if not half:
        raise ItemError("object in the picture is a single pixel")
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    return centre_x - half, centre_y - half, centre_x + half, centre_y + half


def prepare_picture(
    rgba: UInt8[np.ndarray, "h w 4"], size: int = PICTURE_SIZE
) -> UInt8[np.ndarray, "s s 3"]:
    """Crop to the object, resize, put on black.

    Args:
        rgba: picture with at least one transparent pixel.
        size: side of the result, pixels.

    Returns:
        RGB picture.

    Raises:
        ItemError: an empty picture, or an opaque one (remove its background first).
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise ValueError(f"expected (h, w, 4) uint8, got {rgba.shape} {rgba.dtype}")
    alpha = rgba[..., 3]
    if alpha.min() == 255:
        raise ItemError("picture has no transparent pixel: remove its background first")
    picture = Image.fromarray(rgba).crop(crop_box(alpha))
    picture = picture.resize((size, size), Image.Resampling.LANCZOS)
    # float32 on purpose: in float64 0.05 % of the values truncate to a neighbouring grey level.
    values = np.asarray(picture).astype(np.float32) / 255
    return (values[..., :3] * values[..., 3:] * 255).astype(np.uint8)


def normalised(pictures: Num[np.ndarray, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """ImageNet-normalised float32 pictures, channels first, of uint8 or of floats in 0..1."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    if pictures.dtype == np.uint8:
        images = images / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / std


def token_encoder(backbone: Backbone) -> DinoViT:
    """Return the network of a backbone that has tokens to condition on.

    Raises:
        UserError: it is no vision transformer.
    """
    if backbone.spec.family != "vit":
        raise UserError(
            f"image_encoder: {backbone.spec.name} is no vision transformer; conditions are its"
            " tokens, use tiny_vit or a DINOv2"
        )
    return backbone.module


@torch.inference_mode()
def prenorm_tokens(
    encoder: DinoViT, pictures: UInt8[np.ndarray, "b h w 3"]
) -> Float[Tensor, "b n c"]:
    """Tokens before the encoder's final norm: CLS, registers, patches row-major.

    Args:
        encoder: DINOv2 layout.
        pictures: prepared pictures; sides are multiples of the patch size.

    Returns:
        float32 tokens on the CPU.
    """
    images = normalised(pictures).to(encoder.cls_token.device)
    # One picture at a time: memory does not grow with the number of views.
    return torch.cat([encoder(image[None]).prenorm.float().cpu() for image in images])


def condition_tokens(
    encoder: DinoViT, pictures: UInt8[np.ndarray, "b h w 3"]
) -> Float[Tensor, "b n c"]:
    """Condition of the flow network: pre-norm tokens under a LayerNorm without parameters.

    Args:
        encoder: DINOv2 layout.
        pictures: prepared pictures.

    Returns:
        float32 tokens on the CPU; the unconditional pass sees zeros instead.
    """
    tokens = prenorm_tokens(encoder, pictures)
    return F.layer_norm(tokens, tokens.shape[-1:], eps=TOKEN_EPS)


def used_views(count: int) -> slice:
    """Pictures that condition the network: all but the first, where there are several (step 4)."""
    return slice(1 if count > 1 else 0, count)


def view_conditions(
    encoder: DinoViT, pictures: Sequence[UInt8[np.ndarray, "h w 4"]], size: int = PICTURE_SIZE
) -> Float[Tensor, "v m d"]:
    """Condition tokens of the views that the method uses.

    Args:
        encoder: DINOv2 layout.
        pictures: RGBA renderings of all views, in the rig's order.
        size: side of the prepared pictures, pixels.

    Returns:
        Tokens of the views in use (all but the first), float32.

    Raises:
        ItemError: a picture without object or without transparency.
    """
    used = [prepare_picture(picture, size) for picture in pictures[used_views(len(pictures))]]
    return condition_tokens(encoder, np.stack(used))
