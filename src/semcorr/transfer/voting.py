"""Labels of one shape from several labelled sources: each votes with its confidence."""

import numpy as np
from jaxtyping import Float, Int


def vote_labels(
    labels: Int[np.ndarray, "k n"], confidence: Float[np.ndarray, "k n"]
) -> Int[np.ndarray, " n"]:
    """Return for every element the label with the largest sum of confidences.

    Of labels with equal sums the one with more voters wins, then the one that the first voter in the
    order of rows gave: maps without a confidence (all 0) vote by heads, and nothing is drawn by lot.

    Args:
        labels: what each voter says of each element, -1 = abstains.
        confidence: weight of each voice, >= 0.

    Returns:
        (n,) int64; -1 where all abstain.

    Raises:
        ValueError: shapes differ, or a voice that counts has a negative or no finite weight.
    """
    labels = np.asarray(labels, np.int64)
    confidence = np.asarray(confidence, np.float64)
    if labels.ndim != 2 or confidence.shape != labels.shape:
        raise ValueError(f"confidence: expected {labels.shape} (k, n), got {confidence.shape}")
    speaks = labels >= 0
    weights = np.where(speaks, confidence, 0.0)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("confidence: expected finite numbers >= 0 where a label is given")
    choices = np.unique(labels[speaks])
    if len(choices) == 0:
        return np.full(labels.shape[1], -1, np.int64)
    sums, heads, first = (
        np.stack(column)
        for column in zip(*(_tally(labels == choice, weights) for choice in choices), strict=True)
    )
    best = _largest(sums, np.ones(sums.shape, bool))
    best = _largest(heads, best)
    winner = np.where(best, first, len(labels) + 1).argmin(axis=0)
    return np.where(speaks.any(axis=0), choices[winner], -1)


def _tally(voices, weights):
    """Return sum of weights, number of voters and first voter (k where none) of one label."""
    first = np.where(voices.any(axis=0), voices.argmax(axis=0), len(voices))
    return np.where(voices, weights, 0.0).sum(axis=0), voices.sum(axis=0), first


def _largest(values, among):
    """Mark the largest values of each column among the marked ones."""
    values = np.where(among, values, -1)
    return among & (values == values.max(axis=0))
