"""Label transfer and IoU: vectorised against plain loops.

    OMP_NUM_THREADS=1 python benchmarks/label_transfer.py

Published: a source of 12 000 voxels is labelled from an annotation, cells take the majority, a map of
cells carries the labels to 7 500 target voxels, target cells take the majority, IoU is measured.

Scored: what our tables count. A map of sites (vertices and samples) carries the labels of 9 000 source sites
to 9 000 target sites, of whose 4 096 samples the IoU of every part is measured, and the published one.
"""

import argparse
from collections import Counter

import numpy as np
from _timing import timed

from semcorr.evaluation.segmentation import LabelledPair, class_iou, score_pair
from semcorr.geometry.part_labels import labels_from_annotation, merge_labels
from semcorr.matching.cells import CellMatches, centres, occupied_cells
from semcorr.transfer.labels import (
    cell_labels,
    transfer_cell_labels,
    transfer_labels,
)

VOXELS, FACTOR = 64, 4
CELLS = VOXELS // FACTOR
SITES, SAMPLES, PARTS = 9_000, 4096, 5


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


def scored_example() -> dict:
    """Labels of source sites, a map of sites, the truth and places of the target's samples."""
    generator = np.random.default_rng(3)
    return {
        "labels": generator.integers(-1, PARTS, size=SITES),
        "map": generator.integers(-1, SITES, size=SITES),
        "truth": generator.integers(-1, PARTS, size=SAMPLES),
        "positions": generator.uniform(-0.5, 0.5, size=(SAMPLES, 3)),
    }


def fast_scores(e: dict) -> tuple[dict[int, float], float]:
    predicted = transfer_labels(e["labels"], e["map"])[-SAMPLES:]
    parts = frozenset(range(PARTS))
    score = score_pair(LabelledPair("a", "b", e["truth"], predicted, e["positions"], parts))
    return score.iou, score.paper


def plain_scores(e: dict) -> tuple[dict[int, float], float]:
    labels = e["labels"].tolist()
    carried = [labels[partner] if partner >= 0 else -1 for partner in e["map"].tolist()]
    truth, predicted = e["truth"].tolist(), carried[-SAMPLES:]
    counted = [i for i, label in enumerate(truth) if label >= 0]
    ious = {}
    for part in sorted({truth[i] for i in counted}):
        inside = {i for i in counted if truth[i] == part}
        given = {i for i in counted if predicted[i] == part}
        ious[part] = len(inside & given) / len(inside | given)
    return ious, plain_paper_iou(e["positions"], truth, predicted)


def plain_paper_iou(positions, truth, predicted) -> float:
    """Published measure on cells, of samples: the majority of each cell, weighted by frequency."""
    known = [given if true >= 0 else -1 for true, given in zip(truth, predicted, strict=True)]
    majorities = []
    for labels in (truth, known):
        members: dict[tuple, list[int]] = {}
        for point, label in zip(positions.tolist(), labels, strict=True):
            cell = tuple(min(max(int(np.floor((x + 0.5) * CELLS)), 0), CELLS - 1) for x in point)
            members.setdefault(cell, []).append(label)
        found = {}
        for cell, of_cell in members.items():
            counts = Counter(label for label in of_cell if label >= 0)
            most = max(counts.values(), default=0)
            found[cell] = min((k for k, n in counts.items() if n == most), default=-1)
        majorities.append(found)
    cells = [cell for cell, label in majorities[0].items() if label >= 0]
    return plain_iou([majorities[0][c] for c in cells], [majorities[1][c] for c in cells])[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    inputs = example()
    fast_run(inputs)
    fast, (iou, weighted) = timed(lambda: fast_run(inputs), arguments.repeats)
    slow, (plain_ious, plain_weighted) = timed(lambda: plain_run(inputs), arguments.repeats)
    equal = np.allclose(iou, plain_ious, atol=1e-12) and abs(weighted - plain_weighted) < 1e-12
    what = f"published, {len(inputs['source'])} -> {len(inputs['target'])} voxels"
    report(what, slow, fast, equal)
    inputs = scored_example()
    fast_scores(inputs)
    fast, (ious, paper) = timed(lambda: fast_scores(inputs), arguments.repeats)
    slow, (plain_ious, plain_paper) = timed(lambda: plain_scores(inputs), arguments.repeats)
    same_parts = ious.keys() == plain_ious.keys()
    equal = same_parts and all(abs(ious[p] - plain_ious[p]) < 1e-12 for p in ious)
    report(
        f"scored, {SITES} -> {SITES} sites", slow, fast, equal and abs(paper - plain_paper) < 1e-12
    )


def report(what: str, slow: float, fast: float, equal: bool) -> None:
    print(
        f"label transfer and IoU, {what}: plain {slow:.3f} s, vectorised {fast:.4f} s, "
        f"ratio {slow / fast:.0f}x, equal {equal}"
    )


if __name__ == "__main__":
    main()
