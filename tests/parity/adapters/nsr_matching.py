"""HNSR matching, label transfer and colour lift: inputs of a case -> the stages' functions."""

import json
from pathlib import Path

import numpy as np

from semcorr.evaluation.segmentation import class_iou
from semcorr.matching.cells import centres, occupied_cells
from semcorr.matching.hierarchical import match_cells, pool_levels
from semcorr.matching.lift import lift_to_voxels
from semcorr.transfer.colours import label_palette, spatial_rainbow, transfer_colours
from semcorr.transfer.labels import (
    cell_labels,
    labels_from_annotation,
    merge_labels,
    transfer_cell_labels,
)

VOXELS, CELLS = 64, 16
FACTOR = VOXELS // CELLS


def _load(case_dir: Path) -> tuple[dict[str, np.ndarray], dict]:
    with np.load(case_dir / "inputs.npz") as archive:
        inputs = {name: archive[name] for name in archive.files}
    return inputs, json.loads((case_dir / "case.json").read_text())


def _grid(features: np.ndarray) -> np.ndarray:
    """Tokens in x-major order, float16, to a float32 grid (c, r, r, r)."""
    return features.astype(np.float32).T.reshape(-1, CELLS, CELLS, CELLS)


def case_hierarchical_match(case_dir: Path) -> dict[str, np.ndarray]:
    inputs, case = _load(case_dir)
    source, target = _grid(inputs["source_features"]), _grid(inputs["target_features"])
    source_cells = occupied_cells(inputs["source_voxels64"], VOXELS, FACTOR)
    target_cells = occupied_cells(inputs["target_voxels64"], VOXELS, FACTOR)
    levels = len(case["config"]["scales"])
    found = {}
    for radius, suffix in ((case["config"]["expand"], ""), (0, "_expand0")):
        for level in match_cells(source, target, source_cells, target_cells, levels, radius):
            found[f"source_cells_{level.resolution}{suffix}"] = level.source_cells
            if not suffix:
                found[f"target_cells_{level.resolution}"] = level.target_cells
                found[f"cosine_{level.resolution}"] = level.cosine
                found[f"runner_up_gap_{level.resolution}"] = level.runner_up_gap
    found["source_pooled_4"] = pool_levels(source, levels)[0]
    found["target_pooled_4"] = pool_levels(target, levels)[0]
    return found


def case_label_transfer_iou(case_dir: Path) -> dict[str, np.ndarray]:
    inputs, case = _load(case_dir)
    config = case["config"]
    annotation = json.loads((case_dir / "source_annotation.json").read_text())
    truth = json.loads((case_dir / "target_gt.json").read_text())["labels"]
    source_voxels = inputs["source_voxels64_file_order"]
    target_voxels = inputs["target_voxels64_file_order"]

    voxel_labels = labels_from_annotation(
        centres(source_voxels, VOXELS), annotation, config["labels"]
    )
    source_cells, source_labels = cell_labels(source_voxels, voxel_labels, VOXELS, FACTOR, "first")
    matches = match_cells(
        _grid(inputs["source_features"]),
        _grid(inputs["target_features"]),
        source_cells,
        occupied_cells(target_voxels, VOXELS, FACTOR),
        len(config["scales"]),
        config["expand"],
    )[-1]
    predicted = transfer_cell_labels(target_voxels, matches, source_cells, source_labels, VOXELS)
    target_cells, parts = cell_labels(target_voxels, predicted, VOXELS, FACTOR)
    classes = merge_labels(parts, config["gt_labels_con"])
    _, true_classes = cell_labels(target_voxels, np.array(truth), VOXELS, FACTOR)
    scores = class_iou(true_classes, classes)
    return {
        "source_voxel_labels_file_order": voxel_labels,
        "source_cells_16": source_cells,
        "source_cell_labels": source_labels,
        "target_voxel_labels_file_order": predicted,
        "target_cells_16": target_cells,
        "target_cell_part_labels": parts,
        "target_cell_class_labels": classes,
        "target_cell_gt_classes": true_classes,
        "per_class_iou": scores.iou,
        "per_class_weight": scores.weight,
        "weighted_iou_original": np.array(scores.weighted),
        "unweighted_mean_iou_over_present_classes": np.array(scores.mean),
        "cell_accuracy": np.array(scores.accuracy),
    }


def case_dense_colour_lift(case_dir: Path) -> dict[str, np.ndarray]:
    inputs, _ = _load(case_dir)
    lift = lift_to_voxels(
        inputs["target_voxels64"],
        inputs["source_voxels64"],
        inputs["target_cells_16"],
        inputs["source_cells_16"],
        VOXELS,
        FACTOR,
    )
    source_colours = spatial_rainbow(inputs["source_voxels64"])
    return {
        "query_voxel": lift.query_voxel,
        "squared_distance": lift.squared_distance,
        "num_equally_near": lift.num_equally_near,
        "source_voxel": inputs["source_voxels64"][lift.source_row],
        "source_colours": source_colours,
        "target_colours": transfer_colours(source_colours, lift.source_row),
        "label_palette": label_palette(9),
    }
