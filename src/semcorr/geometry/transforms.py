"""Rigid transforms of points."""

from math import cos, sin

import numpy as np
from jaxtyping import Float


def rotation_yaw(angle: float) -> Float[np.ndarray, "3 3"]:
    """Return the rotation by `angle` radians about +Z, counter-clockwise seen from above.

    Quarter turns are exact: a shape turned by 90 degrees keeps its coordinates bit by bit.
    """
    c, s = cos(angle), sin(angle)
    # the sine of a rounded multiple of pi is off by some 1e-16 times the multiple
    c, s = (float(round(v)) if abs(v - round(v)) < 1e-14 else v for v in (c, s))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotations_of_quaternions(
    quaternions: Float[np.ndarray, "*n 4"],
) -> Float[np.ndarray, "*n 3 3"]:
    """Return the rotations of unit quaternions (x, y, z, w); q and -q are the same rotation."""
    x, y, z, w = np.moveaxis(np.asarray(quaternions, dtype=np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def homogeneous(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4 4"]:
    """Return a 3 x 3 rotation (or linear map) as a 4 x 4 matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    return matrix


def apply(
    matrix: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Map points (..., 3) by an affine 4 x 4 matrix, in float64."""
    points = np.asarray(points, dtype=np.float64)
    return points @ matrix[:3, :3].T + matrix[:3, 3]
