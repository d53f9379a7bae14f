"""Light to picture: sRGB and the view transforms that both backends offer."""

import numpy as np
from jaxtyping import Float, UInt8

from semcorr.geometry.srgb import linear_from_srgb, srgb_from_linear

# Blender's "Filmic" as one curve over log2 of linear light, read off a rendered grey ramp at 4.5;
# it acts per channel (colours differ from the curve only in extreme highlights)
FILMIC_LOG2 = np.arange(-12.5, 4.01, 0.5)
FILMIC_VALUE = np.array(
    "0 .0018 .0042 .0072 .0110 .0159 .0220 .0297 .0394 .0515 .0666 .0853 .1082 .1360 .1694 .2090"
    " .2551 .3076 .3662 .4297 .4967 .5642 .6310 .6950 .7541 .8072 .8534 .8923 .9241 .9494 .9688"
    " .9832 .9932 1".split(),
    dtype=np.float64,
)
TABLE_SIZE = 1 << 14


LINEAR_OF_BYTE = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)


def filmic_from_linear(linear: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Encode linear light with Blender's Filmic curve (16.5 stops, highlights roll off)."""
    stops = np.log2(np.maximum(linear, 2.0**-20))
    return np.interp(stops, FILMIC_LOG2, FILMIC_VALUE)


def bytes_from_linear(
    linear: Float[np.ndarray, "... 3"], view_transform: str, exposure: float
) -> UInt8[np.ndarray, "... 3"]:
    """Picture values of scene-linear radiance.

    The curves are looked up in a table over the square root of the radiance: within half a grey
    level of the formulas, and much cheaper than powers and logarithms per pixel.
    """
    brightest = 1.0 if view_transform == "standard" else 2.0**4
    node = (np.arange(TABLE_SIZE) / (TABLE_SIZE - 1)) ** 2 * brightest
    curve = srgb_from_linear if view_transform == "standard" else filmic_from_linear
    table = np.rint(curve(node) * 255.0).astype(np.uint8)
    scaled = np.sqrt(np.clip(linear * (2.0**exposure / brightest), 0.0, 1.0))
    return table[(scaled * (TABLE_SIZE - 1) + 0.5).astype(np.int32)]
