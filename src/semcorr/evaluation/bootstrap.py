"""Means over pairs with a bootstrap interval over target shapes, and numbers with stable bytes."""

from collections.abc import Sequence

import numpy as np

DRAWS = 2000
DECIMALS = 6
# Targets drawn in one go: bounds the memory to some 10 MB whatever the number of targets
_ENTRIES = 1 << 18


def mean_or_none(values: Sequence[float]) -> float | None:
    """Return the mean, or None of nothing (a table shows it as a dash)."""
    return float(np.mean(values)) if len(values) else None


def bootstrap_ci95(
    values: Sequence[float], targets: Sequence[str], seed: int, draws: int = DRAWS
) -> list[float | None]:
    """Return the 2.5 % and 97.5 % percentile of the mean under resampled target shapes.

    Pairs of one target are not independent, so whole targets are drawn, with replacement; a draw's
    value is the mean over all pairs of the drawn targets.

    Args:
        values: one per pair.
        targets: target id of every pair.
        seed: of the draws.
        draws: number of draws.
    """
    if len(values) != len(targets):
        raise ValueError(f"targets: expected {len(values)}, got {len(targets)}")
    if len(values) == 0:
        return [None, None]
    names, group = np.unique(np.asarray(targets, dtype=str), return_inverse=True)
    group = group.ravel()
    # sorted, so that the order in which pairs come cannot change a sum's last digit
    order = np.lexsort((values, group))
    sums = np.bincount(group[order], weights=np.asarray(values, np.float64)[order])
    counts = np.bincount(group)
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, _ENTRIES // len(names))
    for start in range(0, draws, step):
        # block by block the generator gives the same numbers as all at once
        block = means[start : start + step]
        drawn = random.integers(len(names), size=(len(block), len(names)))
        block[:] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [float(value) for value in np.percentile(means, [2.5, 97.5])]


def rounded(value):
    """Return nested builtins with floats rounded to six decimals, so that bytes are stable.

    Raises:
        ValueError: a float is NaN or infinite, or a type has no place in JSON.
    """
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            raise ValueError(f"expected finite numbers in a result, got {value}")
        return round(float(value), DECIMALS) + 0.0
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.integer):
        return int(value)
    raise ValueError(f"expected numbers, text, lists and dicts in a result, got {type(value)}")
