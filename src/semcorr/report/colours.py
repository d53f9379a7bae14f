"""Colours of the figures: parts, methods, confidence, and positions carried along a map.

All colours are sRGB; functions return (n, 3) uint8.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.geometry.srgb import linear_from_srgb, srgb_from_linear
from semcorr.transfer.colours import UNMATCHED, label_palette, spatial_rainbow, transfer_colours

# HNSR section 6.1: the label palette of the published figures
LABEL_PALETTE = np.rint(255 * label_palette(9)).astype(np.uint8)
FAR = 0.25  # longest sides: where colours of distances end
NO_MATCH = np.array(UNMATCHED, dtype=np.uint8)  # unmatched, unlabelled, no confidence
CONFIDENCE_ENDS = ("0 unsure", "1 sure")  # of the scale that all pairs share

# Okabe and Ito, "Color Universal Design" (2008), without yellow (unreadable on white), reordered;
# baselines are told apart from methods by their greys
METHOD_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6A4C93")
BASELINE_COLOURS = {"random": "#B0B0B0", "spatial": "#8A8A8A", "spatial_yaw": "#4D4D4D"}

# eleven steps of matplotlib's viridis: equal steps look equal, also without colour vision
_VIRIDIS = np.array(
    [
        (68, 1, 84),
        (72, 36, 117),
        (65, 68, 135),
        (53, 95, 141),
        (42, 120, 142),
        (33, 145, 140),
        (34, 168, 132),
        (68, 191, 112),
        (122, 209, 81),
        (189, 223, 38),
        (253, 231, 37),
    ],
    dtype=np.float64,
)


def label_colours(labels: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """Colours of part labels; -1 (unlabelled) is grey; more than nine parts repeat, darker."""
    labels = np.asarray(labels)
    rounds, step = np.divmod(np.maximum(labels, 0), len(LABEL_PALETTE))
    colours = LABEL_PALETTE[step] * (0.72 ** rounds[:, None])
    return np.where(labels[:, None] < 0, NO_MATCH, np.rint(colours)).astype(np.uint8)


def position_colours(
    points: Float[np.ndarray, "n 3"], box: Float[np.ndarray, "2 3"] | None = None
) -> UInt8[np.ndarray, "n 3"]:
    """Vivid colours of positions in the world frame, for looking at a correspondence.

    Lightness follows height (z), hue and chroma follow the floor plan (x, y): left and right, front
    and back differ in hue at the same lightness. Made in OKLab (B. Ottosson, 2020), so that equal
    distances look about equal.

    Args:
        points: positions.
        box: lower and upper corner that the colours are stretched to; that of the points if None.
    """
    unit = _unit_box(points, 1e-12, box) - 0.5
    lightness = 0.71 + 0.32 * unit[:, 2]
    # turned by 25 degrees: the axis of mirror symmetry (x) then runs from cyan to red
    turn = np.deg2rad(25.0)
    chroma = 0.34
    a = chroma * (np.cos(turn) * unit[:, 0] - np.sin(turn) * unit[:, 1])
    b = chroma * (np.sin(turn) * unit[:, 0] + np.cos(turn) * unit[:, 1])
    return _srgb_from_oklab(lightness, a, b)


def rainbow_colours(
    points: Float[np.ndarray, "n 3"], box: Float[np.ndarray, "2 3"] | None = None
) -> UInt8[np.ndarray, "n 3"]:
    """The published rainbow over positions (`spatial_rainbow`); arguments as `position_colours`."""
    # clipped, or bytes of points outside of the box would begin again at 0
    return np.rint(255.0 * np.clip(spatial_rainbow(points, box), 0.0, 1.0)).astype(np.uint8)


def carried_colours(
    source_colours: UInt8[np.ndarray, "v 3"], target_to_source: Int[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n 3"]:
    """Give each target element the colour of its source element; grey where there is none (-1)."""
    # bytes are exact in float32
    return transfer_colours(source_colours, target_to_source, missing=NO_MATCH).astype(np.uint8)


def confidence_range(confidence: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Ends of the colour scale: 2nd and 98th percentile of what is finite; (0, 1) if nothing."""
    finite = np.asarray(confidence, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, (2.0, 98.0))
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def confidence_colours(
    confidence: Float[np.ndarray, " n"], low: float, high: float
) -> UInt8[np.ndarray, "n 3"]:
    """Viridis from `low` (dark) to `high` (bright); grey where the value is not finite."""
    confidence = np.asarray(confidence, dtype=np.float64)
    known = np.isfinite(confidence)
    unit = np.clip((np.where(known, confidence, low) - low) / (high - low), 0.0, 1.0)
    steps = np.linspace(0.0, 1.0, len(_VIRIDIS))
    colours = np.stack([np.interp(unit, steps, channel) for channel in _VIRIDIS.T], axis=1)
    return np.where(known[:, None], np.rint(colours), NO_MATCH).astype(np.uint8)


def distance_colours(distance: Float[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """Bright where nothing is off, darkest from `FAR` longest sides on; grey where not finite."""
    return confidence_colours(-np.asarray(distance, np.float64), -FAR, 0.0)


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """One hex colour a method: greys for the baselines, else the palette in order of appearance."""
    others = [name for name in methods if name not in BASELINE_COLOURS]
    palette = {name: METHOD_PALETTE[i % len(METHOD_PALETTE)] for i, name in enumerate(others)}
    return {name: BASELINE_COLOURS.get(name) or palette[name] for name in methods}


def hex_colour(colour: Sequence[int]) -> str:
    """`#rrggbb` of one sRGB byte triple."""
    return "#{:02x}{:02x}{:02x}".format(*(int(c) for c in colour))


def linear_light(colours: UInt8[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Linear light in 0..1 of sRGB bytes."""
    return linear_from_srgb(np.asarray(colours) / 255.0)


def srgb_bytes(linear: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Bytes in sRGB of linear light; what lies outside 0..1 is clipped."""
    return np.rint(255.0 * srgb_from_linear(linear)).astype(np.uint8)


def _unit_box(
    points: Float[np.ndarray, "n 3"], epsilon: float, box: Float[np.ndarray, "2 3"] | None = None
) -> Float[np.ndarray, "n 3"]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (n, 3), got {points.shape}")
    if len(points) == 0:
        return points
    low, high = (points.min(axis=0), points.max(axis=0)) if box is None else np.asarray(box)
    return (points - low) / (high - low + epsilon)


def _srgb_from_oklab(
    lightness: Float[np.ndarray, " n"], a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n 3"]:
    """OKLab to sRGB bytes (matrices of Ottosson 2020); what lies outside the gamut is clipped."""
    l_, m_, s_ = (
        (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    linear = np.stack(
        [
            4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_,
            -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_,
            -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_,
        ],
        axis=1,
    )
    return srgb_bytes(linear)
