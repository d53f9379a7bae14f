"""Polygons of any size cut into triangles."""

import numpy as np
from jaxtyping import Int


def fan(
    sizes: Int[np.ndarray, " p"],
) -> tuple[Int[np.ndarray, "f 3"], Int[np.ndarray, " f"]]:
    """Cut polygons into fans around their first corner.

    Args:
        sizes: number of corners of every polygon, whose corners lie one after another in one list.

    Returns:
        corners: (f, 3) positions in that list, polygon by polygon.
        polygon: (f,) int32 polygon of every triangle; polygons of less than 3 corners give none.
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    counts = np.maximum(sizes - 2, 0)
    polygon = np.repeat(np.arange(len(sizes)), counts)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = starts[polygon]
    return np.stack([first, first + step + 1, first + step + 2], axis=1), polygon.astype(np.int32)
