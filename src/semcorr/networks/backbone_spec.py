"""What is said of an image network as data: constructor arguments, preprocessing, position rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# Raised by hand when a default or the meaning of a field changes: every feature of every network rests on it
VERSION = 1

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PositionResize:
    """How the position table follows another picture size.

    Attributes:
        antialias: low-pass when the grid shrinks.
        offset: added to the wanted side before dividing by the stored one; the table is then
            resized by that factor, not to that size (0.1 in the networks without registers).
    """

    antialias: bool = True
    offset: float = 0.0


@dataclass(frozen=True)
class Preprocessing:
    """What a network expects of a picture with values 0..1.

    Attributes:
        mean: subtracted per channel (RGB).
        std: divided by.
        size_multiple: allowed sides are size_multiple * k + size_offset.
        size_offset: see size_multiple.
        default_size: side when none is asked for, pixels.
        interpolation: used when a picture has another size.
        cells_at_corners: True where the outermost cells of a feature map lie on the outermost
            pixels (odd sizes under strided convolutions), False where cells tile it (patches).
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    size_multiple: int = 14
    size_offset: int = 0
    default_size: int = 518
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    cells_at_corners: bool = False


@dataclass(frozen=True)
class BackboneSpec:
    """One entry of the registry.

    Attributes:
        name: registry name; that of its module in `semcorr.networks.zoo`.
        family: `vit` (DINOv2 layout) or `cnn` (any timm network, strict timm layout).
        timm_name: timm model.
        timm_kwargs: constructor arguments.
        preprocessing: see there.
        positions: of a ViT, how its position table follows the picture size.
        licence: of the published weights.
    """

    name: str
    family: Literal["vit", "cnn"]
    timm_name: str
    timm_kwargs: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing = Preprocessing()
    positions: PositionResize = PositionResize()
    licence: str = "Apache-2.0"


def dinov2(size: str, *, registers: bool) -> BackboneSpec:
    """Entry of a published DINOv2 network with 14-pixel patches, with its position rule.

    Args:
        size: "small", "base" or "large".
        registers: the variant with four register tokens.
    """
    return BackboneSpec(
        f"dinov2_vit{size[0]}14" + ("_reg" if registers else ""),
        "vit",
        f"vit_{size}_patch14{'_reg4' if registers else ''}_dinov2",
        {"img_size": 518, "init_values": 1.0},
        positions=PositionResize(antialias=registers, offset=0.0 if registers else 0.1),
    )
