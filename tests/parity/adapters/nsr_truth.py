"""HNSR part ground truth: labelled points and voxels of a case -> the stage's functions."""

from pathlib import Path

import numpy as np
from adapters.case_files import read_case
from scipy.spatial import cKDTree

from semcorr.datasets.part_points import read_points
from semcorr.geometry.part_labels import labels_from_points
from semcorr.geometry.point_alignment import (
    align,
    best_shift,
    centroid_difference,
    points_in_frame,
    sum_of_distances,
    to_point_frame,
)

# of the case: the nearest points that are looked at, and the gap where they all have one label
NEIGHBOURS, ALONE = 8, 9.0
# of the published frame of voxels: (x, y, z) of the file became (x, -z, y)
FRONT = "+z"


def _label_gaps(positions, points, labels) -> np.ndarray:
    """How much farther than the nearest point the nearest one of another label is."""
    distance, row = cKDTree(points).query(positions, k=NEIGHBOURS)
    other = labels[row] != labels[row[:, :1]]
    first = np.where(other, distance, np.inf).min(axis=1)
    return np.where(other.any(axis=1), first - distance[:, 0], ALONE)


def case_part_ground_truth(case_dir: Path) -> dict[str, np.ndarray]:
    _, inputs = read_case(case_dir)
    raw, labels = read_points(case_dir / "points.txt")
    points = points_in_frame(raw, mirrored=True)
    voxels = to_point_frame(inputs["voxel_positions_file_order"], FRONT)
    published = align(raw, voxels, legacy=True)
    shift = best_shift(points, voxels)
    return {
        "points_normalised": points,
        "voxels_in_point_frame": voxels,
        "centroid_difference": centroid_difference(points, voxels),
        "translation_original": published.shift,
        "labels_original": labels_from_points(voxels, published.points, labels),
        "label_gap_original": _label_gaps(voxels, published.points, labels),
        "objective_original": np.array(sum_of_distances(published.points, voxels)),
        "objective_zero": np.array(sum_of_distances(points, voxels)),
        "translation_corrected_candidate": shift,
        "objective_corrected_candidate": np.array(sum_of_distances(points, voxels, shift)),
        "labels_corrected_candidate": labels_from_points(voxels, points + shift, labels),
    }
