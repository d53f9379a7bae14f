"""Colours that make a correspondence visible: a rainbow over space, a palette of labels."""

import colorsys

import numpy as np
from jaxtyping import Float, Int

# RGB ends of the three linear blends along x, y and z (HNSR, spatial rainbow)
_BLENDS = np.array(
    [
        [[1, 0, 0], [0, 1, 1]],
        [[0, 1, 0], [1, 0, 1]],
        [[0, 0, 1], [1, 1, 0]],
    ],
    dtype=np.float64,
)
# the nine published label colours, RGB 0..255
_PALETTE = (
    (196, 151, 178),
    (241, 215, 126),
    (147, 148, 231),
    (215, 99, 100),
    (177, 206, 70),
    (95, 151, 210),
    (239, 122, 109),
    (99, 227, 152),
    (157, 195, 231),
)
_GOLDEN = 0.6180339887498949
UNLABELLED = (0.6, 0.6, 0.6)  # published
UNMATCHED = (158, 158, 162)  # 0..255, what has no match: neither dark nor bright


def spatial_rainbow(
    points: Float[np.ndarray, "n 3"], box: Float[np.ndarray, "2 3"] | None = None
) -> Float[np.ndarray, "n 3"]:
    """Colour points by where they lie in their own box (HNSR spec 6.1).

    Args:
        points: positions or voxel indices; each axis is normalised by its own range.
        box: lower and upper corner instead of the range of the points, which lie in it.

    Returns:
        (n, 3) float32 RGB in 0..1, the mean of one linear blend per axis.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (n, 3), got {points.shape}")
    if len(points) == 0:
        return np.zeros((0, 3), np.float32)
    low, high = (points.min(axis=0), points.max(axis=0)) if box is None else np.asarray(box)
    place = (points - low) / (high - low + 1e-8)
    blends = _BLENDS[None, :, 0] * (1 - place[:, :, None]) + _BLENDS[None, :, 1] * place[:, :, None]
    return blends.mean(axis=1).astype(np.float32)


def label_palette(count: int) -> Float[np.ndarray, "n 3"]:
    """Return RGB in 0..1 of labels 0..count-1.

    The first nine are the published ones; further ones step around the colour circle.
    """
    if count < 0:
        raise ValueError(f"count: expected at least 0, got {count}")
    published = [tuple(value / 255 for value in colour) for colour in _PALETTE[:count]]
    further = [
        colorsys.hsv_to_rgb(_GOLDEN * step % 1.0, 0.35 + 0.25 * (step % 3), 0.75)
        for step in range(1, count - len(_PALETTE) + 1)
    ]
    return np.array(published + further, dtype=np.float64).reshape(count, 3)


def transfer_colours(
    source_colours: Float[np.ndarray, "s 3"],
    target_to_source: Int[np.ndarray, " t"],
    missing: tuple[float, float, float] = UNLABELLED,
) -> Float[np.ndarray, "t 3"]:
    """Return the colour of every target element's source element.

    Args:
        source_colours: RGB per source element, in any scale.
        target_to_source: -1 = no match.
        missing: colour of elements without a match, in the same scale.

    Returns:
        (t, 3) float32.
    """
    source_colours = np.asarray(source_colours, np.float32)
    if source_colours.ndim != 2 or source_colours.shape[1] != 3:
        raise ValueError(f"source_colours: expected (s, 3), got {source_colours.shape}")
    table = np.concatenate([source_colours, np.array([missing], np.float32)])
    target_to_source = np.asarray(target_to_source, np.int64)
    if len(target_to_source) and target_to_source.max() >= len(source_colours):
        raise ValueError(
            f"target_to_source: expected indices below {len(source_colours)}, "
            f"got {target_to_source.max()}"
        )
    return table[np.where(target_to_source < 0, len(source_colours), target_to_source)]
