"""Sets of rotations to try, and where a turned shape is put."""

import numpy as np
from jaxtyping import Float

from semcorr.geometry.transforms import rotation_yaw

# constants of super-Fibonacci spirals (Alexa, CVPR 2022, section 4); psi solves psi^4 = psi + 4
_PHI = np.sqrt(2.0)
_PSI = 1.533751168755204288118041


def turns(count: int) -> Float[np.ndarray, "k 3 3"]:
    """Return rotations by k * 360 / count degrees about +Z (counter-clockwise seen from above)."""
    if count < 1:
        raise ValueError(f"count: expected at least 1 yaw, got {count}")
    return np.stack([rotation_yaw(2 * np.pi * index / count) for index in range(count)])


def box_rotations() -> Float[np.ndarray, "24 3 3"]:
    """Return the 24 rotations that map the coordinate axes onto themselves, identity first."""
    found = []
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)):
        for signs in np.ndindex(2, 2, 2):
            rotation = np.zeros((3, 3))
            rotation[np.arange(3), order] = 1.0 - 2.0 * np.array(signs)
            if np.linalg.det(rotation) > 0:
                found.append(rotation)
    return np.stack(found)


def all_rotations(count: int = 4096) -> Float[np.ndarray, "k 3 3"]:
    """Return a fixed, nearly uniform set of rotations in 3D: 24 of the box, then `count` others.

    The others are super-Fibonacci spirals (Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy
    Sampling of SO(3)", CVPR 2022, algorithm 1): unit quaternions, no randomness.
    """
    steps = np.arange(count) + 0.5
    radius, rest = np.sqrt(steps / count), np.sqrt(1.0 - steps / count)
    alpha, beta = 2 * np.pi * steps / _PHI, 2 * np.pi * steps / _PSI
    x, y, z, w = (
        radius * np.sin(alpha),
        radius * np.cos(alpha),
        rest * np.sin(beta),
        rest * np.cos(beta),
    )
    rotations = np.empty((count, 3, 3))
    rotations[:, 0, 0], rotations[:, 1, 1] = 1 - 2 * (y * y + z * z), 1 - 2 * (x * x + z * z)
    rotations[:, 2, 2] = 1 - 2 * (x * x + y * y)
    rotations[:, 0, 1], rotations[:, 1, 0] = 2 * (x * y - z * w), 2 * (x * y + z * w)
    rotations[:, 0, 2], rotations[:, 2, 0] = 2 * (x * z + y * w), 2 * (x * z - y * w)
    rotations[:, 1, 2], rotations[:, 2, 1] = 2 * (y * z - x * w), 2 * (y * z + x * w)
    return np.concatenate([box_rotations(), rotations])


def turn_into_box(
    points: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 3"]:
    """Turn points about the origin and normalise them as a loader would have (longest side 1).

    A shape that was turned before it was normalised has another centre and scale than one that was
    not; undoing the turn alone would leave that difference in every distance.

    Args:
        points: positions to move.
        rotation: applied as rotation @ point.
    """
    turned = points @ rotation.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = float((high - low).max())
    return (turned - (low + high) / 2) / (side if side > 0 else 1.0)


def turn_about_centre(
    points: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 3"]:
    """Turn points about the origin and leave centre and scale as they are."""
    return points @ rotation.T
