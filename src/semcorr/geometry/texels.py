"""Texels of a texture: which point of the surface each one shows, and colours around the seams."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import distance_transform_edt

# Cells of bounding boxes looked at in one go; bounds the memory
_CELLS = 2_000_000
# A texel centre this close to an edge, in barycentric weights, counts as on it
_EDGE = 1e-7


@dataclass(frozen=True)
class Texels:
    """The texels of a square texture that show a point of the surface.

    Attributes:
        size: texels a side.
        texel: (t,) ascending index into the size * size texels, row by row, row 0 = top (v = 1).
        face: (t,) face whose texture coordinates cover the texel's centre; the smallest of several.
        weights: (t, 3) barycentric weights of the texel's centre, not negative, sum 1.
        overlap: share of covered texels that lie strictly inside more than one face.
    """

    size: int
    texel: Int[np.ndarray, " t"]
    face: Int[np.ndarray, " t"]
    weights: Float[np.ndarray, "t 3"]
    overlap: float


def texels_of(corner_uvs: Float[np.ndarray, "f 3 2"], size: int) -> Texels:
    """Return the texels whose centres lie inside a face's texture coordinates.

    Coordinates outside of 0..1 repeat: texels are taken modulo the size. A face that covers no
    centre gets the texel of its middle where no other face has it. Faces whose coordinates are not
    finite get none.

    Args:
        corner_uvs: (0, 0) = lower left corner of the texture.
        size: texels a side.
    """
    uvs = np.asarray(corner_uvs, np.float64)
    if uvs.ndim != 3 or uvs.shape[1:] != (3, 2):
        raise ValueError(f"corner_uvs: expected (f, 3, 2), got {uvs.shape}")
    if size < 1:
        raise ValueError(f"size: expected at least 1, got {size}")
    finite = np.isfinite(uvs).all(axis=(1, 2))
    # whole tiles away: the same texels, without the loss of digits
    tile = np.floor(np.where(finite[:, None], uvs.min(axis=1), 0.0))
    uvs = np.where(finite[:, None, None], uvs - tile[:, None], np.nan)
    pixels = np.stack([uvs[..., 0] * size - 0.5, (1.0 - uvs[..., 1]) * size - 0.5], axis=-1)
    texel, face, weights = _covered(pixels, np.flatnonzero(finite), size)
    strictly = np.bincount(texel[weights.min(axis=1) > 1e-3], minlength=1)
    overlap = float((strictly > 1).sum() / max((strictly > 0).sum(), 1))
    lonely = np.setdiff1d(np.flatnonzero(finite), face)
    if len(lonely):
        middle = np.floor(pixels[lonely].mean(axis=1) + 0.5).astype(np.int64) % size
        texel = np.concatenate([texel, middle[:, 1] * size + middle[:, 0]])
        face = np.concatenate([face, lonely])
        weights = np.concatenate([weights, np.full((len(lonely), 3), 1 / 3)])
    # stable: a face that covers a centre goes before one that has only its middle there
    first = np.unique(texel, return_index=True)[1]
    return Texels(size, texel[first], face[first], weights[first], overlap)


def _covered(pixels, faces, size):
    """Return texel, face and weights of all (face, centre inside) in the order of faces.

    The cells of the faces' boxes, one face after another, are numbered and looked at in blocks.
    """
    low = np.ceil(pixels[faces].min(axis=1) - _EDGE).astype(np.int64)
    high = np.floor(pixels[faces].max(axis=1) + _EDGE).astype(np.int64)
    wide, tall = np.maximum(high - low + 1, 0).T
    cells = wide * tall
    ends = np.cumsum(cells)
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)))]
    for start in range(0, int(cells.sum()), _CELLS):
        stop = min(start + _CELLS, int(ends[-1]))
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        some = np.arange(first, last + 1)
        begins = ends[some] - cells[some]
        parts = np.minimum(ends[some], stop) - np.maximum(begins, start)
        rows = np.repeat(some, parts)
        place = np.arange(start, stop) - np.repeat(begins, parts)
        down, across = np.divmod(place, wide[rows])
        centre = low[rows] + np.stack([across, down], axis=1)
        weights = _weights(pixels[faces[rows]], centre)
        inside = (weights >= -_EDGE).all(axis=1)
        weights = np.maximum(weights[inside], 0.0)
        centre = centre[inside] % size
        found.append(
            (
                centre[:, 1] * size + centre[:, 0],
                faces[rows[inside]],
                weights / weights.sum(axis=1, keepdims=True),
            )
        )
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _weights(corners, points):
    """Barycentric weights in the plane; -1 for triangles without area."""
    first, along, across = (
        corners[:, 0],
        corners[:, 1] - corners[:, 0],
        corners[:, 2] - corners[:, 0],
    )
    offset = points - first
    area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    flat = np.abs(area) < 1e-12
    area = np.where(flat, 1.0, area)
    second = (offset[:, 0] * across[:, 1] - offset[:, 1] * across[:, 0]) / area
    third = (along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]) / area
    weights = np.stack([1.0 - second - third, second, third], axis=1)
    return np.where(flat[:, None], -1.0, weights)


def padded(
    picture: UInt8[np.ndarray, "s s c"], known: Bool[np.ndarray, "s s"], padding: int
) -> UInt8[np.ndarray, "s s c"]:
    """Return the picture with the colour of the nearest known texel around the seams.

    Args:
        picture: values of unknown texels do not matter.
        known: texels that have a colour; at least one.
        padding: reach in texels; what is further away gets the mean colour.
    """
    if not known.any():
        raise ValueError("known: expected at least one texel with a colour")
    distance, (row, column) = distance_transform_edt(~known, return_indices=True)
    mean = np.rint(picture[known].mean(axis=0)).astype(picture.dtype)
    return np.where((distance <= padding)[..., None], picture[row, column], mean)
