"""The curve between linear light and sRGB (IEC 61966-2-1), both ways."""

import numpy as np
from jaxtyping import Float


def srgb_from_linear(linear: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Encode linear light 0..1; values outside are clipped."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def linear_from_srgb(encoded: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Decode sRGB values 0..1 to linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
