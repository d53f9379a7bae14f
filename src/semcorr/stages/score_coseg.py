"""Scoring of co-segmentation: part labels carried from the source to the target's samples."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from semcorr.evaluation.segmentation import LabelledPair, PairScore, score_pair, summarise
from semcorr.seeds import seed_of
from semcorr.stages.pose_pairs import PosePairs, true_site_labels
from semcorr.transfer.labels import transfer_labels


def score(pairs: PosePairs, cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one method and pose in coseg/{experiment}.json.

    Pairs whose source or target has no labels are left out: there is nothing to score. Pairs with a
    shape whose labels could not be read count against `coverage`.
    """
    names = part_names(pairs)
    scores = [score_pair(pair) for pair in labelled_pairs(pairs)]
    return summarise([*scores, *lost_scores(pairs, names)], names, _seed(cfg))


def part_names(pairs: PosePairs) -> list[str]:
    """Return the sorted part names of all shapes of the pose."""
    found: set[str] = set()
    for source, target, *_ in pairs.rows():
        for item_id in (source, target):
            truth = pairs.truth_of(item_id)
            found |= set(truth.label_names) if truth else set()
    return sorted(found)


def shape_labels(pairs: PosePairs, item_id: str, names: list[str]) -> np.ndarray | None:
    """Return the label of every site as index into `names`; None where the shape has no labels."""
    truth = pairs.truth_of(item_id)
    if truth is None or not (truth.face_labels >= 0).any():
        return None
    common = np.array([*(names.index(n) for n in truth.label_names), -1])
    return true_site_labels(pairs.sites(item_id), truth, common)


def labelled_pairs(
    pairs: PosePairs, only: Collection[tuple[str, str]] | None = None
) -> Iterator[LabelledPair]:
    """Yield a LabelledPair for every pair of two labelled shapes, on the target's samples.

    Args:
        pairs: of one pose.
        only: the (source, target) to read; None for all.
    """
    names = part_names(pairs)
    labels: dict[str, np.ndarray | None] = {}
    wanted = set()  # no map is read of the many targets without labels that a large set has
    for source, target, *_ in pairs.rows():
        if only is not None and (source, target) not in only:
            continue
        for item_id in (source, target):
            if item_id not in labels:
                labels[item_id] = shape_labels(pairs, item_id, names)
        if labels[source] is not None and labels[target] is not None:
            wanted.add((source, target))
    for source, target, arrays in pairs.pairs(wanted, ("target_to_source",)):
        sites = pairs.sites(target)
        predicted = None
        if arrays is not None:
            predicted = transfer_labels(labels[source], arrays["target_to_source"])
            predicted = predicted[sites.num_vertices :]
        yield LabelledPair(
            source=source,
            target=target,
            truth=labels[target][sites.num_vertices :],
            predicted=predicted,
            positions=sites.positions[sites.num_vertices :],
            source_parts=frozenset(int(p) for p in np.unique(labels[source]) if p >= 0),
        )


def lost_scores(pairs: PosePairs, names: list[str]) -> Iterator[PairScore]:
    """Yield a score without a counted part for every pair with a shape whose truth failed.

    A target whose labels could not be read counts as if it had all parts of the pose.
    """
    for source, target, *_ in pairs.rows():
        if pairs.truth_failure(target):
            parts = tuple(range(len(names)))
        elif pairs.truth_failure(source):
            labels = shape_labels(pairs, target, names)
            if labels is None:
                continue
            of_samples = labels[pairs.sites(target).num_vertices :]
            parts = tuple(int(part) for part in np.unique(of_samples[of_samples >= 0]))
        else:
            continue
        yield PairScore(source, target, parts, {}, {}, None)


def _seed(cfg: dict[str, Any]) -> int:
    return seed_of(cfg["global_seed"], "bootstrap", cfg["category"])
