"""Labels of any positions from labelled points: the nearest one says; and part instances as classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.errors import ItemError


def labels_from_points(
    positions: Float[np.ndarray, "n 3"],
    points: Float[np.ndarray, "p 3"],
    labels: Int[np.ndarray, " p"],
) -> Int[np.ndarray, " n"]:
    """Give every position (voxel, vertex, sample, middle of a face) the label of the nearest point.

    HNSR's ground truth of voxels (its data preparation, step 4), for any positions.

    Args:
        positions: to label.
        points: labelled ones, in the frame of `positions`; at least one.
        labels: one per point, >= 0.

    Returns:
        (n,) int64; the smallest of the labels of equally near points.

    Raises:
        ItemError: no point, or points that are not finite.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(points),):
        raise ValueError(f"labels: expected ({len(points)},), got {labels.shape}")
    if not len(points):
        raise ItemError("labelled points: there is none")
    present = np.unique(labels)
    annotation = {str(label): np.asarray(points)[labels == label] for label in present}
    return present[labels_from_annotation(positions, annotation, list(annotation))].astype(np.int64)


def labels_from_annotation(
    points: Float[np.ndarray, "n 3"],
    annotation: Mapping[str, Float[np.ndarray, "m 3"]],
    names: Sequence[str],
) -> Int[np.ndarray, " n"]:
    """Give every point the part whose listed points come nearest (HNSR supplement; spec 2.5).

    Args:
        points: positions to label.
        annotation: listed positions per part, in the frame of `points`.
        names: parts in the order of their indices; all of them must be listed.

    Returns:
        (n,) int16 index into `names`; the first of equally near parts.

    Raises:
        ItemError: a part is missing, empty or not finite.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (n, 3), got {points.shape}")
    if not names:
        raise ItemError("annotation: no part names")
    squared = np.empty((len(names), len(points)))
    for index, name in enumerate(names):
        listed = np.asarray(annotation.get(name, ()), np.float64)
        if listed.ndim != 2 or listed.shape[1] != 3 or len(listed) == 0:
            raise ItemError(
                f"annotation: part {name!r} needs a list of (x, y, z), got {listed.shape}"
            )
        if not np.isfinite(listed).all():
            raise ItemError(f"annotation: part {name!r} holds NaN or infinite positions")
        if len(points):
            # measured anew with one formula, so that equal distances of two parts are equal numbers
            squared[index] = ((points - listed[cKDTree(listed).query(points)[1]]) ** 2).sum(axis=1)
    return squared.argmin(axis=0).astype(np.int16)


def merge_labels(
    labels: Int[np.ndarray, " n"], merging: Sequence[tuple[int, int]]
) -> Int[np.ndarray, " n"]:
    """Merge part instances into classes.

    Args:
        labels: instance indices, -1 = none.
        merging: ordered (count, class): the first `count` instances are of the class, and so on.

    Returns:
        (n,) int64 classes, -1 stays -1.
    """
    labels = np.asarray(labels, np.int64)
    table = np.repeat([c for _, c in merging], [count for count, _ in merging]).astype(np.int64)
    if len(labels) and labels.max() >= len(table):
        raise ValueError(
            f"labels: expected below {len(table)}, the parts that `merging` covers, "
            f"got {labels.max()}"
        )
    return np.append(table, -1)[np.maximum(labels, -1)]
