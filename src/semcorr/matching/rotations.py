"""Sets of rotations to try, and where a turned shape is put."""

import numpy as np
from jaxtyping import Float

from semcorr.geometry.transforms import rotation_yaw, rotations_of_quaternions

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


def spiral_rotations(count: int) -> Float[np.ndarray, "k 3 3"]:
    """Return a fixed, nearly uniform set of rotations in 3D, without randomness.

    They are super-Fibonacci spirals of unit quaternions (Alexa, "Super-Fibonacci Spirals: Fast,
    Low-Discrepancy Sampling of SO(3)", CVPR 2022, algorithm 1).
    """
    if count < 1:
        raise ValueError(f"count: expected at least 1 rotation, got {count}")
    steps = np.arange(count) + 0.5
    radius, rest = np.sqrt(steps / count), np.sqrt(1.0 - steps / count)
    alpha, beta = 2 * np.pi * steps / _PHI, 2 * np.pi * steps / _PSI
    quaternions = [radius * np.sin(alpha), radius * np.cos(alpha)]
    quaternions += [rest * np.sin(beta), rest * np.cos(beta)]
    return rotations_of_quaternions(np.stack(quaternions, axis=1))


def all_rotations(count: int = 4096) -> Float[np.ndarray, "k 3 3"]:
    """Return 24 + `count` rotations: those of the box, then nearly uniform ones."""
    return np.concatenate([box_rotations(), spiral_rotations(count)])


def pose_rotations(count: int) -> Float[np.ndarray, "k 3 3"]:
    """Return the rotations in which `voxels` with `rotations: count` hold a shape, identity first.

    24 are the rotations of the cube. Every other number is a spiral turned so that it begins with
    the identity. Two shapes in k poses each have k^2 relative rotations: those of a spiral are nearly
    all different, those of the cube, a group, are 24.
    """
    if count == 24:
        return box_rotations()
    spiral = spiral_rotations(count)
    rotations = spiral @ spiral[0].T
    rotations[0] = np.eye(3)
    return rotations


def boxes_after_turns(
    points: Float[np.ndarray, "n 3"], rotations: Float[np.ndarray, "k 3 3"]
) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, " k"]]:
    """Return centre and longest side of the box around the points after each turn about the origin."""
    turned = points @ rotations.transpose(0, 2, 1)
    low, high = turned.min(axis=1), turned.max(axis=1)
    side = (high - low).max(axis=1)
    return (low + high) / 2, np.where(side > 0, side, 1.0)


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
    centre, side = boxes_after_turns(points, rotation[None])
    return (points @ rotation.T - centre[0]) / side[0]


def turn_about_centre(
    points: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 3"]:
    """Turn points about the origin and leave centre and scale as they are."""
    return points @ rotation.T
