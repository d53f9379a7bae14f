"""Scoring of keypoints: source keypoints carried to the target through source_to_target."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from semcorr.evaluation.keypoints import (
    KeypointPair,
    KeypointScore,
    score_pair,
    summarise,
    symmetry_table,
)
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.matched.uncounted import explained
from semcorr.transfer.keypoints import transfer_keypoints


def score(pairs: PosePairs, cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one method and pose in keypoints/{experiment}.json.

    Pairs whose source or target has no keypoints are left out: there is nothing to score. Pairs with
    a shape whose keypoints could not be read count against `coverage`. Where no pair is left, `reason`
    says why.
    """
    names = keypoint_names(pairs)
    symmetry = symmetry_table(names, _symmetry_groups(pairs))
    scores = [score_pair(pair, symmetry) for pair in keypoint_pairs(pairs, names)]
    seed = seed_of(cfg["global_seed"], "bootstrap", cfg["category"])
    summary = summarise([*scores, *lost_scores(pairs, names)], names, seed)
    return explained(
        summary, pairs, lambda item_id: _points(pairs, item_id, names) is not None, "keypoints"
    )


def keypoint_names(pairs: PosePairs) -> list[str]:
    """Return the sorted keypoint names of all shapes of the pose."""
    found: set[str] = set()
    for source, target, *_ in pairs.rows():
        for item_id in (source, target):
            truth = pairs.truth_of(item_id)
            found |= set(truth.keypoint_names) if truth else set()
    return sorted(found)


def keypoint_pairs(pairs: PosePairs, names: list[str]) -> Iterator[KeypointPair]:
    """Yield a KeypointPair for every pair of two shapes with keypoints."""
    for source, target, arrays in pairs.pairs():
        points = [_points(pairs, item_id, names) for item_id in (source, target)]
        if points[0] is None or points[1] is None:
            continue
        predicted = None
        if arrays is not None:
            predicted = transfer_keypoints(
                points[0],
                pairs.sites(source).positions,
                pairs.sites(target).positions,
                arrays["source_to_target"],
            )
        in_source = np.isfinite(points[0]).all(axis=1)
        yield KeypointPair(source, target, points[1], predicted, in_source)


def lost_scores(pairs: PosePairs, names: list[str]) -> Iterator[KeypointScore]:
    """Yield a score without a counted keypoint for every pair with a shape whose truth failed.

    A target whose keypoints could not be read counts as if it had all keypoints of the pose.
    """
    for source, target, *_ in pairs.rows():
        if pairs.truth_failure(target):
            possible = len(names)
        elif pairs.truth_failure(source):
            points = _points(pairs, target, names)
            possible = 0 if points is None else int(np.isfinite(points).all(axis=1).sum())
        else:
            continue
        nothing = np.zeros(0)
        rows = np.zeros(0, np.int64)
        yield KeypointScore(source, target, possible, rows, nothing, nothing)


def _points(pairs: PosePairs, item_id: str, names: list[str]) -> np.ndarray | None:
    truth = pairs.truth_of(item_id)
    if truth is None or not len(truth.keypoints):
        return None
    points = np.full((len(names), 3), np.nan)
    for name, point in zip(truth.keypoint_names, truth.keypoints, strict=True):
        points[names.index(name)] = point
    return points


def _symmetry_groups(pairs: PosePairs) -> list[list[str]]:
    groups: list[list[str]] = []
    for source, target, *_ in pairs.rows():
        for item_id in (source, target):
            truth = pairs.truth_of(item_id)
            if truth:
                groups += [g for g in truth.keypoint_symmetry if g not in groups]
    return groups
