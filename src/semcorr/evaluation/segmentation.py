"""Part IoU of transferred labels: per pair, and over all pairs of a method in one pose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.evaluation.bootstrap import bootstrap_ci95, mean_or_none, rounded
from semcorr.matching.cells import cell_of_points
from semcorr.transfer.labels import cell_labels

# cells per axis of the published measure
PAPER_CELLS = 16


@dataclass(frozen=True)
class LabelledPair:
    """What one method said about one target, and the truth.

    Attributes:
        source: id, or the ids of all sources that voted.
        target: id.
        truth: (n,) part index of every target sample, -1 = not labelled (left out everywhere).
        predicted: (n,) part index that the map gave every target sample, -1 = none (a miss); or
            None where the pair has no map at all (no part counts; coverage falls).
        positions: (n, 3) target samples in the world frame, longest side 1.
        source_parts: part indices that the source has.
    """

    source: str | tuple[str, ...]
    target: str
    truth: Int[np.ndarray, " n"]
    predicted: Int[np.ndarray, " n"] | None
    positions: Float[np.ndarray, "n 3"]
    source_parts: frozenset[int]

    def __post_init__(self):
        count = len(self.truth)
        if self.truth.ndim != 1:
            raise ValueError(f"truth: expected (n,), got {self.truth.shape}")
        if self.predicted is not None and self.predicted.shape != (count,):
            raise ValueError(f"predicted: expected ({count},), got {self.predicted.shape}")
        if self.positions.shape != (count, 3):
            raise ValueError(f"positions: expected ({count}, 3), got {self.positions.shape}")


@dataclass(frozen=True)
class ClassIou:
    """IoU per class of two labellings of the same elements.

    Attributes:
        iou: (c,) per class id 0..c-1; 0 for a class that the truth lacks.
        weight: (c,) share of the elements whose truth is that class.
        weighted: sum of weight * iou, the published "mean IoU" (HNSR evaluation).
        mean: mean iou over the classes that the truth has.
        accuracy: share of the elements with equal labels.
    """

    iou: Float[np.ndarray, " c"]
    weight: Float[np.ndarray, " c"]
    weighted: float
    mean: float
    accuracy: float


@dataclass(frozen=True)
class PairScore:
    """Scores of one pair.

    Attributes:
        source: id, or the ids of all sources that voted.
        target: id.
        target_parts: parts that the target has.
        iou: per counted part (the target and the source have it).
        area: per counted part, its share of the target's labelled samples.
        paper: the published measure on 16^3 cells; None where nothing is counted.
    """

    source: str | tuple[str, ...]
    target: str
    target_parts: tuple[int, ...]
    iou: dict[int, float]
    area: dict[int, float]
    paper: float | None

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU of the counted parts; None where none is counted."""
        return mean_or_none(list(self.iou.values()))

    @property
    def mean_iou_area(self) -> float | None:
        """Mean IoU of the counted parts, weighted by area; None where none is counted."""
        if not self.iou:
            return None
        total = sum(self.area.values())
        return sum(self.area[part] * value for part, value in self.iou.items()) / total


def class_iou(truth: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]) -> ClassIou:
    """Compare two labellings.

    Args:
        truth: class ids >= 0; elements with -1 are left out of truth and prediction alike.
        predicted: class ids, -1 = none (a miss).

    Raises:
        ValueError: the lengths differ, or no element is labelled.
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if truth.ndim != 1 or predicted.shape != truth.shape:
        raise ValueError(f"predicted: expected {truth.shape}, got {predicted.shape}")
    labelled = truth >= 0
    truth, predicted = truth[labelled], np.maximum(predicted[labelled], -1)
    if len(truth) == 0:
        raise ValueError("truth: expected at least one labelled element, got none")
    classes = int(truth.max()) + 1
    common = np.bincount(truth[truth == predicted], minlength=classes)
    in_truth = np.bincount(truth, minlength=classes)
    in_prediction = np.bincount(predicted + 1, minlength=classes + 1)[1 : classes + 1]
    # a class in neither set divides 0 by 1
    iou = common / np.maximum(in_truth + in_prediction - common, 1)
    weight = in_truth / len(truth)
    mean = float(iou[in_truth > 0].mean())
    return ClassIou(
        iou, weight, float((weight * iou).sum()), mean, float(common.sum() / len(truth))
    )


def paper_iou(
    truth: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    positions: Float[np.ndarray, "n 3"],
) -> float:
    """Return the published, frequency-weighted IoU on 16^3 cells (HNSR evaluation).

    A cell's label is the majority of its samples, the smallest id on ties; parts of the target that
    the source lacks score 0 with their weight, as published.
    """
    cells = cell_of_points(positions, PAPER_CELLS)
    _, cell_truth = cell_labels(cells, truth, PAPER_CELLS, 1)
    # samples without truth are left out of the prediction as well
    known = np.where(truth < 0, -1, predicted)
    _, cell_predicted = cell_labels(cells, known, PAPER_CELLS, 1)
    return class_iou(cell_truth, cell_predicted).weighted


def score_pair(pair: LabelledPair) -> PairScore:
    """Score one pair on its samples.

    Counted are the parts that the target has (at least one sample) and the source has too. A sample
    of a part that the source lacks still counts against the part it was given, for every method
    alike.
    """
    target_parts = tuple(int(part) for part in np.unique(pair.truth[pair.truth >= 0]))
    counted = [part for part in target_parts if part in pair.source_parts]
    if pair.predicted is None or not counted:
        return PairScore(pair.source, pair.target, target_parts, {}, {}, None)
    scores = class_iou(pair.truth, pair.predicted)
    iou = {part: float(scores.iou[part]) for part in counted}
    area = {part: float(scores.weight[part]) for part in counted}
    paper = paper_iou(pair.truth, pair.predicted, pair.positions)
    return PairScore(pair.source, pair.target, target_parts, iou, area, paper)


def summarise(scores: Sequence[PairScore], names: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the entry of one method and pose in `coseg/{experiment}.json`.

    mean_iou = mean over pairs of the mean over counted parts; mean_iou_area weights the parts of a
    pair by area; mean_iou_paper is `paper_iou`; parts = mean over the pairs in which a part is
    counted; ci95 = 2000 bootstrap draws of target shapes. coverage = number of counted (pair, part)
    divided by the number of (pair, part) in which the target has the part. Pairs without a counted
    part enter coverage only.

    Args:
        scores: of all pairs.
        names: part names in the order of their indices.
        seed: of the bootstrap.

    Returns:
        Builtins, floats rounded to six decimals; means over nothing are None.
    """
    ordered = sorted(scores, key=lambda score: (score.source, score.target))
    counted = [score for score in ordered if score.iou]
    means = [score.mean_iou for score in counted]
    possible = sum(len(score.target_parts) for score in ordered)
    parts = {
        name: mean_or_none([score.iou[part] for score in counted if part in score.iou])
        for part, name in enumerate(names)
    }
    return rounded(
        {
            "mean_iou": mean_or_none(means),
            "ci95": bootstrap_ci95(means, [score.target for score in counted], seed),
            "mean_iou_area": mean_or_none([score.mean_iou_area for score in counted]),
            "mean_iou_paper": mean_or_none([score.paper for score in counted]),
            "parts": {name: value for name, value in parts.items() if value is not None},
            "coverage": sum(len(score.iou) for score in counted) / possible if possible else 0.0,
            "targets": [
                {
                    _source_key(score): score.source,
                    "target": score.target,
                    "mean_iou": score.mean_iou,
                }
                for score in counted
            ],
        }
    )


def _source_key(score: PairScore) -> str:
    return "source" if isinstance(score.source, str) else "sources"
