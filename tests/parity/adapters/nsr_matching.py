"""HNSR matching, label transfer and colour lift: inputs of a case -> the stages' functions."""

import json
from pathlib import Path

import numpy as np
from adapters.case_files import only_number, read_case, shape

from semcorr.evaluation.segmentation import class_iou
from semcorr.geometry.part_labels import labels_from_annotation, merge_labels
from semcorr.matching.cells import centres, occupied_cells
from semcorr.matching.hierarchical import match_pooled, pool_levels
from semcorr.matching.lift import lift_to_voxels
from semcorr.transfer.colours import label_palette, spatial_rainbow, transfer_colours
from semcorr.transfer.labels import (
    cell_labels,
    transfer_cell_labels,
)


def _grid(features: np.ndarray) -> np.ndarray:
    """Tokens in x-major order, float16, to a float32 grid (c, r, r, r)."""
    side = round(len(features) ** (1 / 3))
    return features.astype(np.float32).T.reshape(-1, side, side, side)


def _match(source, target, cells: tuple[np.ndarray, np.ndarray], levels: int, radius: float):
    """All levels of the search, as the matcher makes them."""
    pools = pool_levels(source, levels), pool_levels(target, levels)
    return pools, match_pooled(*pools, *cells, radius)[0]


def case_hierarchical_match(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    source, target = _grid(inputs["source_features"]), _grid(inputs["target_features"])
    resolution = only_number(inputs, r"source_voxels(\d+)")
    factor = resolution // source.shape[-1]
    cells = tuple(
        occupied_cells(inputs[f"{side}_voxels{resolution}"], resolution, factor)
        for side in ("source", "target")
    )
    found = {}
    for radius, suffix in ((case["config"]["expand"], ""), (0, "_expand0")):
        pools, levels = _match(source, target, cells, len(case["config"]["scales"]), radius)
        for level in levels:
            found[f"source_cells_{level.resolution}{suffix}"] = level.source_cells
            if not suffix:
                found[f"target_cells_{level.resolution}"] = level.target_cells
                found[f"cosine_{level.resolution}"] = level.cosine
                found[f"runner_up_gap_{level.resolution}"] = level.runner_up_gap
        for side, grids in zip(("source", "target"), pools, strict=True):
            found |= {f"{side}_pooled_{grid.shape[-1]}": grid for grid in grids}
    return {name: array for name, array in found.items() if name in case["expected"]}


def case_label_transfer_iou(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    config = case["config"]
    annotation = json.loads((case_dir / "source_annotation.json").read_text())
    truth = json.loads((case_dir / "target_gt.json").read_text())["labels"]
    source, target = _grid(inputs["source_features"]), _grid(inputs["target_features"])
    resolution = only_number(inputs, r"source_voxels(\d+)_file_order")
    source_voxels = inputs[f"source_voxels{resolution}_file_order"]
    target_voxels = inputs[f"target_voxels{resolution}_file_order"]
    side = source.shape[-1]
    factor = resolution // side

    voxel_labels = labels_from_annotation(
        centres(source_voxels, resolution), annotation, config["labels"]
    )
    source_cells, source_labels = cell_labels(
        source_voxels, voxel_labels, resolution, factor, "first"
    )
    cells = source_cells, occupied_cells(target_voxels, resolution, factor)
    _, levels = _match(source, target, cells, len(config["scales"]), config["expand"])
    predicted = transfer_cell_labels(
        target_voxels, levels[-1], source_cells, source_labels, resolution
    )
    target_cells, parts = cell_labels(target_voxels, predicted, resolution, factor)
    classes = merge_labels(parts, config["gt_labels_con"])
    _, true_classes = cell_labels(target_voxels, np.array(truth), resolution, factor)
    scores = class_iou(true_classes, classes)
    return {
        "source_voxel_labels_file_order": voxel_labels,
        f"source_cells_{side}": source_cells,
        "source_cell_labels": source_labels,
        "target_voxel_labels_file_order": predicted,
        f"target_cells_{side}": target_cells,
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
    case, inputs = read_case(case_dir)
    resolution = only_number(inputs, r"source_voxels(\d+)")
    side = only_number(inputs, r"target_cells_(\d+)")
    source_voxels = inputs[f"source_voxels{resolution}"]
    lift = lift_to_voxels(
        inputs[f"target_voxels{resolution}"],
        source_voxels,
        inputs[f"target_cells_{side}"],
        inputs[f"source_cells_{side}"],
        resolution,
        resolution // side,
    )
    source_colours = spatial_rainbow(source_voxels)
    return {
        "query_voxel": lift.query_voxel,
        "squared_distance": lift.squared_distance,
        "num_equally_near": lift.num_equally_near,
        "source_voxel": source_voxels[lift.source_row],
        "source_colours": source_colours,
        "target_colours": transfer_colours(source_colours, lift.source_row),
        "label_palette": label_palette(shape(case, "label_palette")[0]),
    }
