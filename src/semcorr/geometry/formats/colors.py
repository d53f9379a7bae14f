"""Colours of files as 8-bit sRGB."""

import numpy as np
from jaxtyping import Float, UInt8


def bytes_from_unit(values: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Round values 0..1 to 0..255; what is not finite becomes 0."""
    values = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=1.0, neginf=0.0)
    return np.round(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def bytes_from_any(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Scale colours to 0..255 by their type: uint8 as it is, uint16 by 257, floats from 0..1."""
    if values.dtype.kind == "f":
        return bytes_from_unit(values)
    if values.dtype.itemsize == 1:
        return values.astype(np.uint8)
    if values.dtype.itemsize == 2:
        return np.round(values.astype(np.uint16) / 257.0).astype(np.uint8)
    return np.clip(values, 0, 255).astype(np.uint8)


def rgba(colors: UInt8[np.ndarray, "n c"]) -> UInt8[np.ndarray, "n 4"]:
    """Append an opaque alpha to three-channel colours."""
    if colors.shape[1] == 4:
        return colors
    return np.concatenate([colors, np.full((len(colors), 1), 255, np.uint8)], axis=1)
