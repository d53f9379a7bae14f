"""Labelled points of a shape beside its mesh: their common frame, and the shift between both.

The points of ShapeNet-Part lie as in ShapeNetCore v1 (up +Y, front +X), meshes of v2 as in v2 (up +Y,
front -Z). Both are compared in the *point frame* of HNSR's data preparation: Y up, front +X, longest
side of the points' box 1. Whether v1 was mirrored against v2 is not the same for all models (v2's
readme speaks of a mirroring issue of v1), so that the points may be taken by a rotation or a mirror.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from semcorr.errors import ItemError
from semcorr.geometry.frames import axes_rotation

# (x, y, z) of a v2 file -> (z, y, -x) of the point frame; a rotation
_FRAME_FROM_FILE = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
_ROTATED, _MIRRORED = np.array([-1.0, 1.0, -1.0]), np.array([-1.0, 1.0, 1.0])

# The mirror is taken where it leaves less than this share of the rotation's distances: shapes that are
# symmetric fit both ways, and noise must not decide
MIRROR_SHARE = 0.95
# Of the search for the shift: its steps, and the distance that counts as none; a voxel is .016 wide
STEPS, NO_DISTANCE = 100, 1e-3


@dataclass(frozen=True)
class AlignedPoints:
    """Points in the point frame, moved onto a shape.

    Attributes:
        points: (p, 3) float64.
        shift: (3,) what was added to the normalised points.
        mirrored: whether the points were taken by the mirror.
    """

    points: Float[np.ndarray, "p 3"]
    shift: Float[np.ndarray, " 3"]
    mirrored: bool


def points_in_frame(points: Float[np.ndarray, "p 3"], mirrored: bool) -> Float[np.ndarray, "p 3"]:
    """Return points as read in the point frame: centre of their box 0, its longest side 1.

    Args:
        points: (x, y, z) of the file.
        mirrored: (-x, y, z) as published, else (-x, y, -z).

    Raises:
        ItemError: no point, or points without extent.
    """
    turned = np.asarray(points, np.float64) * (_MIRRORED if mirrored else _ROTATED)
    if not len(turned):
        raise ItemError("labelled points: there is none")
    low, high = turned.min(axis=0), turned.max(axis=0)
    extent = float((high - low).max())
    if not (np.isfinite(extent) and extent > 0):
        raise ItemError(f"labelled points: no usable extent, the longest side is {extent:.3g}")
    return (turned - (low + high) / 2) / extent


def to_point_frame(
    positions_world: Float[np.ndarray, "n 3"], front: str = "-z"
) -> Float[np.ndarray, "n 3"]:
    """Return positions of a normalised v2 shape in the point frame.

    Args:
        positions_world: Z up, the front that `front` says at -Y.
        front: axis of the file that became the front; "+z" is the published frame.
    """
    return np.asarray(positions_world, np.float64) @ _frame_from_world(front).T


def to_world(positions: Float[np.ndarray, "n 3"], front: str = "-z") -> Float[np.ndarray, "n 3"]:
    """Return positions of the point frame in the world; the inverse of `to_point_frame`."""
    return np.asarray(positions, np.float64) @ _frame_from_world(front)


def _frame_from_world(front: str) -> Float[np.ndarray, "3 3"]:
    return _FRAME_FROM_FILE @ axes_rotation("+y", front).T


def sum_of_distances(
    points: Float[np.ndarray, "p 3"],
    targets: Float[np.ndarray, "n 3"],
    shift: Float[np.ndarray, " 3"] = (0.0, 0.0, 0.0),
) -> float:
    """Return what an alignment makes small: the distances of moved points to their nearest targets."""
    return float(cKDTree(targets).query(points + np.asarray(shift))[0].sum())


def centroid_difference(
    points: Float[np.ndarray, "p 3"], targets: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " 3"]:
    """Return the shift that brings the mean of points onto the mean of targets."""
    return np.mean(targets, axis=0, dtype=np.float64) - np.mean(points, axis=0, dtype=np.float64)


def legacy_shift(
    points: Float[np.ndarray, "p 3"], targets: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " 3"]:
    """Return the published shift: the centroid difference of the first two axes.

    The published search sees both sets after a down-sampling that leaves one point of each. Points
    are spread over the parts in another way than voxels, so that this is often worse than no shift.
    """
    return centroid_difference(points, targets) * (1.0, 1.0, 0.0)


def best_shift(
    points: Float[np.ndarray, "p 3"], targets: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " 3"]:
    """Return the shift, of all axes, that makes the sum of distances small; never worse than none.

    The published search (L-BFGS-B from no shift, to a local optimum) with all points, all axes and the
    gradient: the mean of the directions from the nearest targets.
    """
    tree = cKDTree(targets)
    points, targets = np.asarray(points, np.float64), np.asarray(targets, np.float64)

    def mean_distance(shift: np.ndarray) -> tuple[float, np.ndarray]:
        distance, row = tree.query(points + shift)
        # rounded off near 0, where the distance alone has no gradient
        size = np.hypot(distance, NO_DISTANCE)
        away = (points + shift - targets[row]) / size[:, None]
        return float(size.mean()), away.mean(axis=0)

    limits = {"maxiter": STEPS, "ftol": 1e-9, "gtol": 1e-5}
    shift = minimize(mean_distance, np.zeros(3), jac=True, method="L-BFGS-B", options=limits).x
    better = tree.query(points + shift)[0].sum() < tree.query(points)[0].sum()
    return shift if better else np.zeros(3)


def align(
    points: Float[np.ndarray, "p 3"], targets: Float[np.ndarray, "n 3"], legacy: bool = False
) -> AlignedPoints:
    """Move labelled points onto a shape.

    Args:
        points: (x, y, z) of the file.
        targets: centres of the shape's surface voxels in the point frame.
        legacy: mirror and `legacy_shift`, as published; else the better of rotation and mirror
            (the rotation, unless the mirror fits clearly better) with `best_shift`.

    Raises:
        ItemError: no point, or points without extent.
    """
    if legacy:
        placed = points_in_frame(points, mirrored=True)
        return _moved(placed, legacy_shift(placed, targets), True)
    found = []
    for mirrored in (False, True):
        placed = points_in_frame(points, mirrored)
        shift = best_shift(placed, targets)
        found.append((sum_of_distances(placed, targets, shift), _moved(placed, shift, mirrored)))
    (rotation, rotated), (mirror, reflected) = found
    return reflected if mirror < MIRROR_SHARE * rotation else rotated


def _moved(points, shift, mirrored: bool) -> AlignedPoints:
    return AlignedPoints(points + shift, shift, mirrored)
