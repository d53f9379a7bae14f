"""Keypoint transfer: accuracies at distances of the longest box side, plain and up to symmetry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from semcorr.evaluation.bootstrap import bootstrap_ci95, mean_or_none, rounded

CURVE = tuple(step / 100 for step in range(21))


@dataclass(frozen=True)
class KeypointPair:
    """What one method said about the keypoints of one target, and the truth.

    Positions are in the target's world frame (longest box side 1), rows in the category's order.

    Attributes:
        source: id.
        target: id.
        truth: (k, 3), NaN = the target lacks the keypoint.
        predicted: (k, 3), NaN = no prediction; or None where the pair has no map at all.
        in_source: (k,) whether the source has the keypoint.
    """

    source: str
    target: str
    truth: Float[np.ndarray, "k 3"]
    predicted: Float[np.ndarray, "k 3"] | None
    in_source: Bool[np.ndarray, " k"]

    def __post_init__(self):
        if self.truth.ndim != 2 or self.truth.shape[1] != 3:
            raise ValueError(f"truth: expected (k, 3), got {self.truth.shape}")
        if self.predicted is not None and self.predicted.shape != self.truth.shape:
            raise ValueError(f"predicted: expected {self.truth.shape}, got {self.predicted.shape}")
        if self.in_source.shape != (len(self.truth),):
            raise ValueError(
                f"in_source: expected ({len(self.truth)},), got {self.in_source.shape}"
            )


@dataclass(frozen=True)
class KeypointScore:
    """Distances of one pair.

    Attributes:
        source: id.
        target: id.
        possible: how many keypoints the target has.
        rows: (m,) counted keypoints: the target and the source have them.
        error: (m,) distance to the keypoint; infinite where nothing was predicted.
        symmetric_error: (m,) distance to the keypoint or to the nearest of its mirror images.
    """

    source: str
    target: str
    possible: int
    rows: np.ndarray
    error: Float[np.ndarray, " m"]
    symmetric_error: Float[np.ndarray, " m"]


def symmetry_table(
    names: Sequence[str], groups: Sequence[Sequence[str]]
) -> Bool[np.ndarray, "k k"]:
    """Return which keypoints count for which, from symmetry pairs (or larger orbits) of names.

    Args:
        names: the category's keypoints.
        groups: pairs such as (left_ear, right_ear); names of other categories are ignored.
    """
    index = {name: row for row, name in enumerate(names)}
    table = np.eye(len(names), dtype=bool)
    for group in groups:
        rows = [index[name] for name in group if name in index]
        table[np.ix_(rows, rows)] = True
    return table


def score_pair(pair: KeypointPair, symmetry: Bool[np.ndarray, "k k"]) -> KeypointScore:
    """Measure one pair.

    Args:
        pair: prediction and truth.
        symmetry: from `symmetry_table`; images that the target lacks do not count.
    """
    count = len(pair.truth)
    if symmetry.shape != (count, count):
        raise ValueError(f"symmetry: expected ({count}, {count}), got {symmetry.shape}")
    present = np.isfinite(pair.truth).all(axis=1)
    possible = int(present.sum())
    if pair.predicted is None:
        nothing = np.zeros(0)
        return KeypointScore(
            pair.source, pair.target, possible, np.zeros(0, np.int64), nothing, nothing
        )
    rows = np.flatnonzero(present & pair.in_source)
    distances = np.linalg.norm(pair.predicted[rows, None] - pair.truth[None], axis=2)
    distances = np.where(np.isnan(distances), np.inf, distances)
    error = distances[np.arange(len(rows)), rows]
    symmetric = np.where(symmetry[rows], distances, np.inf).min(axis=1, initial=np.inf)
    return KeypointScore(pair.source, pair.target, possible, rows, error, symmetric)


def summarise(scores: Sequence[KeypointScore], names: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the entry of one method and pose in `keypoints/{experiment}.json`.

    Every number is a mean over pairs of the mean over the pair's counted keypoints: those that the
    target has and the source has too. acc_005 and acc_010: share within 0.05 and 0.10 of the
    longest box side (a keypoint without a prediction is a miss); acc_010_symmetry: the mirror image
    counts too; mean_error: of the predicted ones, in longest sides; curve: accuracy at 0, 0.01
    ... 0.20; per_keypoint: acc_010 over the pairs in which it is counted; ci95: of acc_010, 2000
    bootstrap draws of target shapes. coverage = number of counted (pair, keypoint) divided by the
    number of (pair, keypoint) in which the target has the keypoint.

    Args:
        scores: of all pairs.
        names: keypoint names in the order of their rows.
        seed: of the bootstrap.

    Returns:
        Builtins, floats rounded to six decimals; means over nothing are None.
    """
    ordered = sorted(scores, key=lambda score: (score.source, score.target))
    counted = [score for score in ordered if len(score.rows)]
    accuracy = [float((score.error <= 0.10).mean()) for score in counted]
    hits: dict[int, list[bool]] = {}
    for score in counted:
        for row, error in zip(score.rows, score.error, strict=True):
            hits.setdefault(int(row), []).append(bool(error <= 0.10))
    predicted = [score.error[np.isfinite(score.error)] for score in counted]
    possible = sum(score.possible for score in ordered)
    return rounded(
        {
            "acc_005": _within(counted, 0.05),
            "acc_010": mean_or_none(accuracy),
            "ci95": bootstrap_ci95(accuracy, [score.target for score in counted], seed),
            "acc_010_symmetry": mean_or_none(
                [float((score.symmetric_error <= 0.10).mean()) for score in counted]
            ),
            "mean_error": mean_or_none([float(e.mean()) for e in predicted if len(e)]),
            "curve": {
                "thresholds": list(CURVE),
                "accuracy": [_within(counted, threshold) for threshold in CURVE],
            },
            "per_keypoint": {names[row]: mean_or_none(hits[row]) for row in sorted(hits)},
            "coverage": sum(len(score.rows) for score in counted) / possible if possible else 0.0,
            "targets": [
                {"source": score.source, "target": score.target, "acc_010": value}
                for score, value in zip(counted, accuracy, strict=True)
            ],
        }
    )


def _within(scores: Sequence[KeypointScore], threshold: float) -> float | None:
    """Return the mean over pairs of the share of keypoints within a distance."""
    return mean_or_none([float((score.error <= threshold).mean()) for score in scores])
