"""How different two colours look (CIEDE2000), and the signal-to-noise ratio of pictures."""

import numpy as np
from jaxtyping import Float

from semcorr.geometry.srgb import linear_from_srgb

# IEC 61966-2-1: linear sRGB to CIE XYZ under D65, and the white of that matrix
_XYZ_FROM_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _XYZ_FROM_RGB.sum(axis=1)
_LINEAR_BELOW, _SLOPE = (6 / 29) ** 3, (29 / 6) ** 2 / 3
_25_TO_7 = 25.0**7
# Rounding to 8 bits has this variance (for values 0..1): errors below it cannot be told apart
ROUNDING = 1.0 / (12.0 * 255.0**2)


def lab_from_srgb(colours: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Return CIE L*a*b* (1976, D65) of sRGB colours in 0..1."""
    colours = np.asarray(colours, np.float64)
    if colours.ndim != 2 or colours.shape[1] != 3:
        raise ValueError(f"colours: expected (n, 3), got {colours.shape}")
    ratio = linear_from_srgb(colours) @ _XYZ_FROM_RGB.T / _WHITE
    root = np.where(ratio > _LINEAR_BELOW, np.cbrt(ratio), _SLOPE * ratio + 4 / 29)
    x, y, z = root.T
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=1)


def ciede2000(
    first: Float[np.ndarray, "n 3"], second: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """Return the colour difference of pairs of L*a*b* colours (about 1 is just noticeable).

    Formula and treatment of hue angles: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula"
    (2005), with all parametric factors 1.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 2 or first.shape[1] != 3:
        raise ValueError(f"expected two arrays (n, 3), got {first.shape} and {second.shape}")
    mean_chroma = (np.hypot(first[:, 1], first[:, 2]) + np.hypot(second[:, 1], second[:, 2])) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + _25_TO_7))
    chroma_1, hue_1 = _chroma_and_hue(first, stretch)
    chroma_2, hue_2 = _chroma_and_hue(second, stretch)
    coloured = chroma_1 * chroma_2 > 0
    turn = hue_2 - hue_1
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    turn = np.where(coloured, turn, 0.0)
    d_lightness = second[:, 0] - first[:, 0]
    d_chroma = chroma_2 - chroma_1
    d_hue = 2.0 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.deg2rad(turn) / 2)
    lightness = (first[:, 0] + second[:, 0]) / 2
    chroma = (chroma_1 + chroma_2) / 2
    hue = _mean_hue(hue_1, hue_2, coloured)
    off_middle = (lightness - 50.0) ** 2
    lightness_scale = 1.0 + 0.015 * off_middle / np.sqrt(20.0 + off_middle)
    chroma_scale = 1.0 + 0.045 * chroma
    hue_scale = 1.0 + 0.015 * chroma * _hue_weight(hue)
    a, b, c = d_lightness / lightness_scale, d_chroma / chroma_scale, d_hue / hue_scale
    return np.sqrt(np.maximum(a**2 + b**2 + c**2 + _rotation(chroma, hue) * b * c, 0.0))


def psnr(first: Float[np.ndarray, "n 3"], second: Float[np.ndarray, "n 3"]) -> float:
    """Return the peak signal-to-noise ratio in dB of sRGB colours in 0..1, over all channels.

    The mean squared error is at least that of rounding to 8 bits, so equal colours give 58.9 dB.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"expected two equal shapes, got {first.shape} and {second.shape}")
    return float(-10.0 * np.log10(max(float(((first - second) ** 2).mean()), ROUNDING)))


def _chroma_and_hue(lab, stretch):
    a = lab[:, 1] * stretch
    return np.hypot(a, lab[:, 2]), np.rad2deg(np.arctan2(lab[:, 2], a)) % 360.0


def _mean_hue(first, second, coloured):
    total = first + second
    around = np.where(total < 360, total + 360, total - 360)
    mean = np.where(np.abs(first - second) <= 180, total, around) / 2
    return np.where(coloured, mean, total)


def _hue_weight(hue):
    def cos(factor, offset):
        return np.cos(np.deg2rad(factor * hue + offset))

    return 1.0 - 0.17 * cos(1, -30) + 0.24 * cos(2, 0) + 0.32 * cos(3, 6) - 0.20 * cos(4, -63)


def _rotation(chroma, hue):
    angle = 30.0 * np.exp(-(((hue - 275.0) / 25.0) ** 2))
    size = 2.0 * np.sqrt(chroma**7 / (chroma**7 + _25_TO_7))
    return -np.sin(np.deg2rad(2.0 * angle)) * size
