"""Random smooth changes of a shape's proportions that keep its vertices and faces."""

import numpy as np
from jaxtyping import Float

from semcorr.geometry.transforms import rotation_yaw

# Stretches of each axis between this many knots; depth and width change less freely than height
KNOTS = {0: 4, 1: 4, 2: 5}
TAPER = 0.25


def proportions(
    vertices: Float[np.ndarray, "v 3"], strength: float, random: np.random.Generator
) -> Float[np.ndarray, "v 3"]:
    """Stretch the axes piecewise and taper along the height: another shape of the same kind.

    Each axis is cut into equal parts, and each part is scaled by exp of a uniform value in
    +-strength; the parts of x are mirror-symmetric, so that a symmetric shape stays one.

    Args:
        vertices: world frame, Z up.
        strength: largest log of a part's scale; 0 changes nothing but the box.
        random: source of all values.

    Returns:
        New positions, not normalised.
    """
    out = np.array(vertices, dtype=np.float64)
    for axis, count in KNOTS.items():
        low, high = out[:, axis].min(), out[:, axis].max()
        steps = np.exp(random.uniform(-strength, strength, count - 1))
        if axis == 0:
            steps = (steps + steps[::-1]) / 2
        knots = np.linspace(low, high, count)
        moved = np.concatenate([[0.0], np.cumsum(steps)]) * (high - low) / (count - 1)
        if high > low:
            out[:, axis] = np.interp(out[:, axis], knots, moved - moved.mean())
    height = np.ptp(out[:, 2])
    if height > 0 and strength > 0:
        taper = 1 + random.uniform(-TAPER, TAPER) * 2 * out[:, 2:] / height
        out[:, :2] *= np.maximum(taper, 0.3)
    return out


def posed(
    vertices: Float[np.ndarray, "v 3"], strength: float, random: np.random.Generator
) -> Float[np.ndarray, "v 3"]:
    """Change the proportions, turn about Z at random, put into the unit box again."""
    turned = proportions(vertices, strength, random)
    turned = turned @ rotation_yaw(random.uniform(0, 2 * np.pi)).T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return (turned - (low + high) / 2) / max((high - low).max(), 1e-12)
