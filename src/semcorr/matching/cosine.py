"""Nearest rows by dot product, in both directions at once and in bounded memory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

# one block of similarities: 1024 x 8192 float32 = 32 MB whatever the number of rows
BLOCK_TARGET = 1024
BLOCK_SOURCE = 8192
COSINE_EPS = 1e-8


@dataclass(frozen=True)
class BestRows:
    """The best partner of every row, in both directions.

    Attributes:
        target_to_source: (t,) int64 row of `source` with the largest score; the first of equals
            within a block.
        source_to_target: (s,) int64 the same in the other direction.
        score: (t,) float32 of `target_to_source`.
    """

    target_to_source: Int[np.ndarray, " t"]
    source_to_target: Int[np.ndarray, " s"]
    score: Float[np.ndarray, " t"]


def unit_rows(rows: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Return float32 rows of length one; rows of (nearly) no length stay near zero."""
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    lengths = np.sqrt(np.einsum("nc,nc->n", rows, rows))
    return rows / np.maximum(lengths, np.float32(COSINE_EPS))[:, None]


def best_rows(
    source: Float[np.ndarray, "s c"],
    target: Float[np.ndarray, "t c"],
    block_target: int = BLOCK_TARGET,
    block_source: int = BLOCK_SOURCE,
) -> BestRows:
    """Return argmax of target @ source.T along both axes without ever holding the whole product.

    Args:
        source: float32 rows; unit rows make the score a cosine.
        target: float32 rows of the same width.
        block_target: rows of a block.
        block_source: columns of a block.

    Raises:
        ValueError: the widths differ, or one side has no row.
    """
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(f"rows: expected (s, c) and (t, c), got {source.shape} and {target.shape}")
    if len(source) == 0 or len(target) == 0:
        raise ValueError(f"rows: expected at least one each, got {len(source)} and {len(target)}")
    there = _Running(len(target))
    back = _Running(len(source))
    for first in range(0, len(target), block_target):
        rows = target[first : first + block_target]
        for column in range(0, len(source), block_source):
            scores = rows @ source[column : column + block_source].T
            there.update(first, column, scores)
            back.update(column, first, scores.T)
    return BestRows(there.index, back.index, there.score)


class _Running:
    """Best score so far of every row, and where it was."""

    def __init__(self, count: int):
        self.score = np.full(count, -np.inf, np.float32)
        self.index = np.zeros(count, np.int64)

    def update(self, first: int, column: int, scores: Float[np.ndarray, "b s"]) -> None:
        """Take in a block of scores whose upper left corner is (first, column)."""
        here = slice(first, first + len(scores))
        highest = scores.max(axis=1)
        better = np.flatnonzero(highest > self.score[here])
        if len(better) == 0:
            return
        # the search for the place is the slow half, and in later blocks few rows need it
        rows = scores if len(better) == len(scores) else scores[better]
        self.index[first + better] = rows.argmax(axis=1) + column
        self.score[first + better] = highest[better]
