"""Labels of cells, and labels carried through a map."""

from typing import Literal

import numpy as np
from jaxtyping import Int

from semcorr.matching.cells import CellMatches, check_cells, encode, occupied_cells, rows_of

Ties = Literal["first", "smallest"]


def majority_labels(
    groups: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    num_groups: int,
    ties: Ties = "smallest",
) -> Int[np.ndarray, " g"]:
    """Return the most frequent label of every group.

    Args:
        groups: group of every element, 0..num_groups-1.
        labels: label of every element; negative ones are no label and do not count.
        num_groups: how many groups there are.
        ties: "smallest" = the smallest of the most frequent labels; "first" = the one that comes
            first in the order of the elements.

    Returns:
        (num_groups,) int64; -1 for a group without labels.
    """
    groups, labels = np.asarray(groups), np.asarray(labels)
    if groups.ndim != 1 or labels.shape != groups.shape:
        raise ValueError(f"labels: expected {groups.shape}, got {labels.shape}")
    if len(groups) and (groups.min() < 0 or groups.max() >= num_groups):
        raise ValueError(
            f"groups: expected 0..{num_groups - 1}, got {groups.min()}..{groups.max()}"
        )
    if ties not in ("first", "smallest"):
        raise ValueError(f"ties: expected 'first' or 'smallest', got {ties!r}")
    counted = labels >= 0
    if num_groups == 0 or not counted.any():
        return np.full(num_groups, -1, np.int64)
    values, dense = np.unique(labels[counted], return_inverse=True)
    keys = groups[counted].astype(np.int64) * len(values) + dense.ravel()
    counts = np.bincount(keys, minlength=num_groups * len(values)).reshape(num_groups, -1)
    if ties == "first":
        first = np.full(counts.size, len(keys), np.int64)
        np.minimum.at(first, keys, np.arange(len(keys)))
        most = counts == counts.max(axis=1, keepdims=True)
        best = np.where(most, first.reshape(counts.shape), len(keys) + 1).argmin(axis=1)
    else:
        best = counts.argmax(axis=1)
    return np.where(counts.any(axis=1), values[best], -1).astype(np.int64)


def cell_labels(
    voxels: Int[np.ndarray, "n 3"],
    labels: Int[np.ndarray, " n"],
    resolution: int,
    factor: int,
    ties: Ties = "smallest",
) -> tuple[Int[np.ndarray, "m 3"], Int[np.ndarray, " m"]]:
    """Return the occupied cells, sorted, and the most frequent label of each one's voxels.

    Published tie rules: of source cells the label met first in file order, of ground truth and of
    predictions the smallest id (HNSR step 9b and its evaluation).

    Args:
        voxels: occupied voxels in file order.
        labels: one per voxel, -1 = none.
        resolution: voxels per axis.
        factor: voxels per cell and axis.
        ties: see `majority_labels`.
    """
    cells = occupied_cells(voxels, resolution, factor)
    voxels = check_cells(voxels, resolution, "voxels")
    codes = encode(cells, resolution // factor)
    groups = np.searchsorted(codes, encode(voxels // factor, resolution // factor))
    return cells, majority_labels(groups, labels, len(cells), ties)


def transfer_cell_labels(
    target_voxels: Int[np.ndarray, "t 3"],
    matches: CellMatches,
    source_cells: Int[np.ndarray, "s 3"],
    source_labels: Int[np.ndarray, " s"],
    resolution: int,
) -> Int[np.ndarray, " t"]:
    """Give every target voxel the label of the source cell that its cell is matched to (step 9b).

    Args:
        target_voxels: occupied target voxels, any order.
        matches: of the finest level.
        source_cells: labelled source cells.
        source_labels: their labels.
        resolution: voxels per axis.

    Returns:
        (t,) int64; -1 where the cell is in no map or the matched cell has no label.
    """
    factor = resolution // matches.resolution
    cells = check_cells(target_voxels, resolution, "target_voxels") // factor
    cell_row, mapped = rows_of(cells, matches.target_cells, matches.resolution)
    row, labelled = rows_of(matches.source_cells[cell_row], source_cells, matches.resolution)
    return np.where(mapped & labelled, np.asarray(source_labels)[row], -1).astype(np.int64)


def transfer_labels(
    source_labels: Int[np.ndarray, " s"], target_to_source: Int[np.ndarray, " t"]
) -> Int[np.ndarray, " t"]:
    """Return the label of every target element's source element, -1 where there is none.

    Args:
        source_labels: -1 = no label.
        target_to_source: -1 = no match.
    """
    source_labels, target_to_source = np.asarray(source_labels), np.asarray(target_to_source)
    if len(target_to_source) and target_to_source.max() >= len(source_labels):
        raise ValueError(
            f"target_to_source: expected indices below {len(source_labels)}, "
            f"got {target_to_source.max()}"
        )
    labels = np.full(len(target_to_source), -1, np.int64)
    matched = target_to_source >= 0
    labels[matched] = source_labels[target_to_source[matched]]
    return labels
