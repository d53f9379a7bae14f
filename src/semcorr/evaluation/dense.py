"""Dense correspondence: distances of all matched vertices to where they belong.

Definitions of the released evaluation of Diff3F (CVPR 2024), which follows DPC and SE-ORNet: accuracy at
a share of the largest distance between true places, and the mean squared distance ("err", of which the
paper's formula lacks the square). There, only the true places of 1024 queries could be chosen; here a
map may name any site of the source, so that numbers are lower than published ones and not comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from semcorr.evaluation.bootstrap import bootstrap_ci95, mean_or_none, rounded

# 0, 0.002 ... 0.2 of the largest distance
CURVE = tuple(step / 500 for step in range(101))
_ROWS = 1000


@dataclass(frozen=True)
class DensePair:
    """What one method said about the vertices of one target, and the truth.

    Positions are in the source's world frame (longest box side 1).

    Attributes:
        source: id.
        target: id.
        truth: (n, 3) true places of the target's vertices on the source.
        predicted: (n, 3) places that the map names, NaN = no match.
        areas: (n,) surface that each vertex stands for.
    """

    source: str
    target: str
    truth: Float[np.ndarray, "n 3"]
    predicted: Float[np.ndarray, "n 3"]
    areas: Float[np.ndarray, " n"]

    def __post_init__(self):
        if self.truth.ndim != 2 or self.truth.shape[1] != 3 or not len(self.truth):
            raise ValueError(f"truth: expected (n, 3) with n > 0, got {self.truth.shape}")
        if self.predicted.shape != self.truth.shape:
            raise ValueError(f"predicted: expected {self.truth.shape}, got {self.predicted.shape}")
        if self.areas.shape != (len(self.truth),):
            raise ValueError(f"areas: expected ({len(self.truth)},), got {self.areas.shape}")


@dataclass(frozen=True)
class DenseScore:
    """Measures of one pair, over its vertices.

    Attributes:
        source: id.
        target: id.
        curve: (101,) share of vertices within `CURVE` of the largest distance.
        error: mean distance of the matched ones, longest sides; None without any.
        squared: mean squared distance, likewise.
        area_error: as `error`, vertices weighted by their area.
        unmatched: share of vertices without a match.
    """

    source: str
    target: str
    curve: Float[np.ndarray, " c"]
    error: float | None
    squared: float | None
    area_error: float | None
    unmatched: float

    def within(self, share: float) -> float:
        """Accuracy at a share of the largest distance that is in `CURVE`."""
        return float(self.curve[CURVE.index(share)])


def score_pair(pair: DensePair) -> DenseScore:
    """Measure one pair; a vertex without a match is a miss at every distance."""
    error = np.linalg.norm(pair.predicted - pair.truth, axis=1)
    found = np.isfinite(error)
    reach = np.array(CURVE) * largest_distance(pair.truth)
    sorted_errors = np.sort(error[found])
    curve = np.searchsorted(sorted_errors, reach, side="right") / len(error)
    areas = pair.areas[found]
    weighted = float(error[found] @ areas / areas.sum()) if areas.sum() > 0 else None
    return DenseScore(
        pair.source,
        pair.target,
        curve,
        mean_or_none(error[found]),
        mean_or_none(error[found] ** 2),
        weighted,
        float(1 - found.mean()),
    )


def largest_distance(points: Float[np.ndarray, "n 3"]) -> float:
    """Largest distance between two points; it lies between corners of their convex hull."""
    points = np.asarray(points, np.float64)
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # flat, or fewer than four
        corners = points
    starts = range(0, len(corners), _ROWS)
    return max(float(cdist(corners[s : s + _ROWS], corners).max()) for s in starts)


def summarise(scores: Sequence[DenseScore], lost: int, seed: int) -> dict[str, Any]:
    """Return the entry of one method and pose in `dense/{experiment}.json`.

    Every number is a mean over pairs of the mean over the target's vertices. acc_001, acc_005 and
    acc_010: share within 0.01, 0.05 and 0.10 of the largest distance between true places; mean_error:
    distance of the matched ones in longest sides; mean_squared_error: its square; mean_error_area:
    vertices weighted by the area that they stand for; unmatched: share without a match; curve:
    accuracy at 0 (exact hits), 0.002 ... 0.2; ci95: of acc_001, 2000 bootstrap draws of target
    shapes; coverage: share of pairs that were measured.

    Args:
        scores: of all pairs with a map and a truth.
        lost: number of the other pairs.
        seed: of the bootstrap.

    Returns:
        Builtins, floats rounded to six decimals; means over nothing are None.
    """
    ordered = sorted(scores, key=lambda score: (score.source, score.target))
    strict = [score.within(0.01) for score in ordered]
    possible = len(ordered) + lost
    curve = np.mean([score.curve for score in ordered], axis=0) if ordered else [None] * len(CURVE)
    return rounded(
        {
            "acc_001": mean_or_none(strict),
            "acc_005": mean_or_none([score.within(0.05) for score in ordered]),
            "acc_010": mean_or_none([score.within(0.1) for score in ordered]),
            "ci95": bootstrap_ci95(strict, [score.target for score in ordered], seed),
            "mean_error": _mean([score.error for score in ordered]),
            "mean_squared_error": _mean([score.squared for score in ordered]),
            "mean_error_area": _mean([score.area_error for score in ordered]),
            "unmatched": mean_or_none([score.unmatched for score in ordered]),
            "curve": {"thresholds": list(CURVE), "accuracy": list(curve)},
            "coverage": len(ordered) / possible if possible else 0.0,
            "targets": [
                {
                    "source": score.source,
                    "target": score.target,
                    "acc_001": value,
                    "mean_error": score.error,
                }
                for score, value in zip(ordered, strict, strict=True)
            ],
        }
    )


def _mean(values: Sequence[float | None]) -> float | None:
    return mean_or_none([value for value in values if value is not None])
