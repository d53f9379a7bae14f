"""Cells of cubic grids as sorted integer codes: the order of rows sorted lexicographically."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from semcorr.errors import ItemError
from semcorr.geometry.voxels import cell_of_points as cell_of_points
from semcorr.geometry.voxels import centres as centres


@dataclass(frozen=True)
class CellMatches:
    """The matches of one level, target -> source.

    Attributes:
        resolution: cells per axis of this level.
        target_cells: (t, 3) int64 occupied target cells, sorted lexicographically.
        source_cells: (t, 3) int64 the source cell matched to every target cell.
        cosine: (t,) float32 similarity of the match.
        runner_up_gap: (t,) float32 cosine minus that of the second best candidate among those that
            the coarser level allows; infinite where there was one candidate only.
        mutual: (t,) whether the search from source to target leads back to the same cell, or None
            where that was not asked for.
    """

    resolution: int
    target_cells: Int[np.ndarray, "t 3"]
    source_cells: Int[np.ndarray, "t 3"]
    cosine: Float[np.ndarray, " t"]
    runner_up_gap: Float[np.ndarray, " t"]
    mutual: Bool[np.ndarray, " t"] | None = None


def check_cells(cells: Int[np.ndarray, "n 3"], resolution: int, what: str) -> np.ndarray:
    """Return cells as (n, 3) int64 after checking their shape, their type and their range."""
    cells = np.asarray(cells)
    if cells.ndim != 2 or cells.shape[1] != 3:
        raise ValueError(f"{what}: expected (n, 3), got {cells.shape}")
    if len(cells) == 0:
        raise ItemError(f"{what}: no occupied cell")
    if not np.issubdtype(cells.dtype, np.integer):
        raise ValueError(f"{what}: expected integers, got {cells.dtype}")
    if cells.min() < 0 or cells.max() >= resolution:
        raise ValueError(
            f"{what}: expected indices 0..{resolution - 1}, got {cells.min()}..{cells.max()}"
        )
    return cells.astype(np.int64)


def encode(cells: Int[np.ndarray, "n 3"], resolution: int) -> Int[np.ndarray, " n"]:
    """Return x-major codes of cells; sorting codes sorts cells lexicographically."""
    return (cells[:, 0] * resolution + cells[:, 1]) * resolution + cells[:, 2]


def decode(codes: Int[np.ndarray, " n"], resolution: int) -> Int[np.ndarray, "n 3"]:
    """Return the (n, 3) int64 cells of x-major codes."""
    return np.stack(
        [codes // resolution**2, codes // resolution % resolution, codes % resolution], 1
    )


def occupied_cells(
    voxels: Int[np.ndarray, "n 3"], resolution: int, factor: int
) -> Int[np.ndarray, "m 3"]:
    """Return the sorted occupied cells of a grid `factor` times coarser (HNSR step 6).

    Args:
        voxels: occupied voxels of a grid of `resolution` cells per axis, any order.
        resolution: voxels per axis, a multiple of `factor`.
        factor: voxels per cell and axis.

    Returns:
        (m, 3) int64, lexicographically sorted, without repetition.
    """
    if factor < 1 or resolution % factor:
        raise ValueError(f"factor: expected a divisor of {resolution}, got {factor}")
    coarse = check_cells(voxels, resolution, "voxels") // factor
    return decode(np.unique(encode(coarse, resolution // factor)), resolution // factor)


def rows_of(
    queries: Int[np.ndarray, "q 3"], cells: Int[np.ndarray, "n 3"], resolution: int
) -> tuple[Int[np.ndarray, " q"], Bool[np.ndarray, " q"]]:
    """Find cells in a list of cells.

    Returns:
        Row of `cells` for every query (arbitrary where not found; the first of equal rows), and
        whether it was found.
    """
    codes = encode(cells, resolution)
    order = np.argsort(codes, kind="stable")
    wanted = encode(queries, resolution)
    place = np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)
    rows = order[place]
    return rows, codes[rows] == wanted


def nearest_rows(
    queries: Float[np.ndarray, "q 3"], points: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, " q"], Int[np.ndarray, " q"]]:
    """Return distance and row of the nearest point for every query (one thread, one answer)."""
    if len(queries) == 0:
        return np.zeros(0), np.zeros(0, np.int64)
    return cKDTree(points).query(queries)
