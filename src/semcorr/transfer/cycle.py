"""Cycle consistency: how far from its start the way to the other shape and back ends."""

import numpy as np
from jaxtyping import Float, Int


def cycle_distance(
    sites: Float[np.ndarray, "t 3"],
    target_to_source: Int[np.ndarray, " t"],
    source_to_target: Int[np.ndarray, " s"],
) -> Float[np.ndarray, " t"]:
    """Return the distance between every target site and the end of its way to the source and back.

    Args:
        sites: of the target, world frame (longest side 1).
        target_to_source: -1 = none.
        source_to_target: -1 = none.

    Returns:
        (t,) float64; NaN where a match is missing on the way.
    """
    sites = np.asarray(sites, np.float64)
    there = np.asarray(target_to_source, np.int64)
    if there.shape != (len(sites),):
        raise ValueError(f"target_to_source: expected ({len(sites)},), got {there.shape}")
    back = np.append(np.asarray(source_to_target, np.int64), -1)[there]
    ends = np.concatenate([sites, np.full((1, 3), np.nan)])[back]
    return np.linalg.norm(ends - sites, axis=1)
