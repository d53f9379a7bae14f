"""Label transfer and IoU: vectorised against plain loops.

    OMP_NUM_THREADS=1 python benchmarks/label_transfer.py

A source of 12 000 voxels is labelled from an annotation, cells take the majority, a map of cells
carries the labels to 7 500 target voxels, target cells take the majority, IoU is measured.
"""

import argparse
import statistics
import time
from collections import Counter

import numpy as np

from semcorr.evaluation.segmentation import class_iou
from semcorr.matching.cells import CellMatches, centres, occupied_cells
from semcorr.transfer.labels import (
    cell_labels,
    labels_from_annotation,
    merge_labels,
    transfer_cell_labels,
)

VOXELS, FACTOR = 64, 4
CELLS = VOXELS // FACTOR


def plain_annotation(points, annotation, names) -> list[int]:
    labels = []
    for point in points:
        best, smallest = 0, np.inf
        for index, name in enumerate(names):
            distance = np.sqrt(((annotation[name] - point) ** 2).sum(axis=1)).min()
            if distance < smallest:
                best, smallest = index, distance
        labels.append(best)
    return labels


def plain_cell_labels(voxels, labels, ties) -> dict[tuple, int]:
    members: dict[tuple, list[int]] = {}
    for voxel, label in zip(voxels.tolist(), labels, strict=True):
        members.setdefault(tuple(i // FACTOR for i in voxel), []).append(int(label))
    found = {}
    for cell in sorted(members):
        counts = Counter(members[cell])  # keeps the order in which labels are met
        most = max(counts.values())
        leaders = [label for label, count in counts.items() if count == most]
        found[cell] = leaders[0] if ties == "first" else min(leaders)
    return found


def plain_transfer(voxels, cell_map, source_labels) -> list[int]:
    return [source_labels[cell_map[tuple(i // FACTOR for i in voxel)]] for voxel in voxels.tolist()]


def plain_merge(labels, merging) -> list[int]:
    merged = []
    for label in labels:
        first = 0
        for count, merged_class in merging:
            if label < first + count:
                merged.append(merged_class)
                break
            first += count
    return merged


def plain_iou(truth, predicted) -> tuple[list[float], float]:
    ious, weighted = [], 0.0
    for part in range(max(truth) + 1):
        inside = {i for i, label in enumerate(truth) if label == part}
        given = {i for i, label in enumerate(predicted) if label == part}
        union = len(inside | given)
        ious.append(len(inside & given) / union if union else 0.0)
        weighted += len(inside) / len(truth) * ious[-1]
    return ious, weighted


def shell(count: int, seed: int) -> np.ndarray:
    """Return `count` voxels near a random ellipsoid's surface, in arbitrary (shuffled) order."""
    generator = np.random.default_rng(seed)
    axes = np.indices((VOXELS,) * 3).reshape(3, -1).T
    radii = VOXELS * generator.uniform(0.3, 0.48, size=3)
    level = np.linalg.norm((axes + 0.5 - VOXELS / 2) / radii, axis=1)
    return generator.permutation(axes[np.argsort(np.abs(level - 1), kind="stable")[:count]])


def example(source_count: int = 12_000, target_count: int = 7_500) -> dict:
    generator = np.random.default_rng(0)
    names = ["body", "wing1", "wing2", "tail1", "tail2", "tail3"]
    source, target = shell(source_count, 1), shell(target_count, 2)
    source_cells = occupied_cells(source, VOXELS, FACTOR)
    target_cells = occupied_cells(target, VOXELS, FACTOR)
    partners = source_cells[generator.integers(len(source_cells), size=len(target_cells))]
    nothing = np.zeros(len(target_cells), np.float32)
    return {
        "source": source,
        "target": target,
        "truth": generator.integers(3, size=target_count),
        "names": names,
        "annotation": {name: generator.uniform(-0.5, 0.5, size=(120, 3)) for name in names},
        "matches": CellMatches(CELLS, target_cells, partners, nothing, nothing),
        "merging": [(1, 0), (2, 1), (3, 2)],
    }


def fast_run(e: dict):
    labels = labels_from_annotation(centres(e["source"], VOXELS), e["annotation"], e["names"])
    cells, of_cell = cell_labels(e["source"], labels, VOXELS, FACTOR, "first")
    predicted = transfer_cell_labels(e["target"], e["matches"], cells, of_cell, VOXELS)
    _, parts = cell_labels(e["target"], predicted, VOXELS, FACTOR)
    _, truth = cell_labels(e["target"], e["truth"], VOXELS, FACTOR)
    scores = class_iou(truth, merge_labels(parts, e["merging"]))
    return scores.iou, scores.weighted


def plain_run(e: dict):
    labels = plain_annotation(centres(e["source"], VOXELS), e["annotation"], e["names"])
    of_cell = plain_cell_labels(e["source"], labels, "first")
    matches = e["matches"]
    pairs = zip(matches.target_cells.tolist(), matches.source_cells.tolist(), strict=True)
    cell_map = {tuple(cell): tuple(partner) for cell, partner in pairs}
    predicted = plain_transfer(e["target"], cell_map, of_cell)
    parts = plain_cell_labels(e["target"], predicted, "smallest")
    truth = plain_cell_labels(e["target"], e["truth"], "smallest")
    return plain_iou(list(truth.values()), plain_merge(parts.values(), e["merging"]))


def timed(function, argument, repeats: int) -> tuple[float, object]:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        answer = function(argument)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    inputs = example()
    fast_run(inputs)
    fast, (iou, weighted) = timed(fast_run, inputs, arguments.repeats)
    slow, (plain_ious, plain_weighted) = timed(plain_run, inputs, arguments.repeats)
    equal = np.allclose(iou, plain_ious, atol=1e-12) and abs(weighted - plain_weighted) < 1e-12
    print(
        f"label transfer and IoU, {len(inputs['source'])} -> {len(inputs['target'])} voxels: "
        f"plain {slow:.3f} s, vectorised {fast:.4f} s, ratio {slow / fast:.0f}x, equal {equal}"
    )


if __name__ == "__main__":
    main()
