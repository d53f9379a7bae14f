"""Keypoints: from source positions to target positions through a map of sites."""

import numpy as np
from jaxtyping import Float, Int

from semcorr.matching.cells import nearest_rows


def transfer_keypoints(
    source_keypoints: Float[np.ndarray, "k 3"],
    source_sites: Float[np.ndarray, "s 3"],
    target_sites: Float[np.ndarray, "t 3"],
    source_to_target: Int[np.ndarray, " s"],
) -> Float[np.ndarray, "k 3"]:
    """Return where source keypoints lie on the target.

    A keypoint is read off at the source site nearest to it.

    Args:
        source_keypoints: world positions; rows with NaN are absent keypoints.
        source_sites: world positions of the source's sites.
        target_sites: world positions of the target's sites.
        source_to_target: a target site per source site, -1 = none.

    Returns:
        (k, 3) float64; NaN where the keypoint is absent or its site has no match.
    """
    keypoints = np.asarray(source_keypoints, np.float64)
    if keypoints.ndim != 2 or keypoints.shape[1] != 3:
        raise ValueError(f"source_keypoints: expected (k, 3), got {keypoints.shape}")
    if len(source_to_target) != len(source_sites):
        raise ValueError(
            f"source_to_target: expected ({len(source_sites)},), got {source_to_target.shape}"
        )
    moved = np.full(keypoints.shape, np.nan)
    present = np.isfinite(keypoints).all(axis=1)
    partners = source_to_target[nearest_rows(keypoints[present], source_sites)[1]]
    moved[present] = np.where(
        (partners >= 0)[:, None], np.asarray(target_sites)[np.maximum(partners, 0)], np.nan
    )
    return moved
