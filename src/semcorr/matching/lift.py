"""From a map between cells to a map between voxels, and from there to sites (HNSR step 9a)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.matching.cells import (
    CellMatches,
    cell_of_points,
    centres,
    check_cells,
    nearest_rows,
    rows_of,
)


@dataclass(frozen=True)
class VoxelLift:
    """A source voxel for every target voxel.

    Attributes:
        cell_row: (t,) row of the cell map that was used.
        query_voxel: (t, 3) int64, the matched cell's voxel at the same place inside the cell.
        source_row: (t,) int64, row of the source voxel taken: the query voxel where occupied, else
            the occupied voxel nearest to it.
        squared_distance: (t,) int64 between query voxel and source voxel, in voxels.
        num_equally_near: (t,) int64, how many source voxels are that near (1 = no ambiguity).
    """

    cell_row: Int[np.ndarray, " t"]
    query_voxel: Int[np.ndarray, "t 3"]
    source_row: Int[np.ndarray, " t"]
    squared_distance: Int[np.ndarray, " t"]
    num_equally_near: Int[np.ndarray, " t"]


@dataclass(frozen=True)
class SiteLift:
    """A source site for every target site.

    Attributes:
        match: (t,) int64 row of a source site; -1 where the cell's match was rejected.
        cosine: (t,) float32 of the cell that the site lies in.
    """

    match: Int[np.ndarray, " t"]
    cosine: Float[np.ndarray, " t"]


def lift_to_voxels(
    target_voxels: Int[np.ndarray, "t 3"],
    source_voxels: Int[np.ndarray, "s 3"],
    target_cells: Int[np.ndarray, "m 3"],
    source_cells: Int[np.ndarray, "m 3"],
    resolution: int,
    factor: int,
) -> VoxelLift:
    """Lift a map between cells to voxels, keeping the place inside the cell (HNSR step 9a).

    For a target voxel q in cell g = floor(q / factor) the query is factor * map(g) +
    (q - factor * g); if the source has no voxel there, its nearest one counts (Euclidean distance
    of indices).

    Args:
        target_voxels: occupied target voxels.
        source_voxels: occupied source voxels.
        target_cells: cells of the map; a target voxel outside all of them uses the nearest cell.
        source_cells: where each of those cells is mapped to.
        resolution: voxels per axis.
        factor: voxels per cell and axis.
    """
    target_voxels = check_cells(target_voxels, resolution, "target_voxels")
    source_voxels = check_cells(source_voxels, resolution, "source_voxels")
    if factor < 1 or resolution % factor:
        raise ValueError(f"factor: expected a divisor of {resolution}, got {factor}")
    target_cells = check_cells(target_cells, resolution // factor, "target_cells")
    source_cells = check_cells(source_cells, resolution // factor, "source_cells")
    if len(target_cells) != len(source_cells):
        raise ValueError(f"source_cells: expected {target_cells.shape}, got {source_cells.shape}")
    cells = target_voxels // factor
    cell_row, found = rows_of(cells, target_cells, resolution // factor)
    cell_row[~found] = nearest_rows(cells[~found], target_cells)[1]
    query = factor * source_cells[cell_row] + target_voxels % factor

    source_row, occupied = rows_of(query, source_voxels, resolution)
    near = np.ones(len(query), dtype=np.int64)
    empty = ~occupied
    if empty.any():
        tree = cKDTree(source_voxels)
        distance, source_row[empty] = tree.query(query[empty])
        near[empty] = tree.query_ball_point(query[empty], distance + 1e-6, return_length=True)
    squared = ((query - source_voxels[source_row]) ** 2).sum(axis=1)
    return VoxelLift(cell_row, query, source_row, squared, near)


def voxel_of_sites(
    sites: Float[np.ndarray, "n 3"], voxels: Int[np.ndarray, "m 3"], resolution: int
) -> Int[np.ndarray, " n"]:
    """Return for every site the row of its voxel, or of the occupied voxel nearest to the site."""
    rows, found = rows_of(cell_of_points(sites, resolution), voxels, resolution)
    if not found.all():
        rows[~found] = nearest_rows(sites[~found], centres(voxels, resolution))[1]
    return rows


def lift_sites(
    cells: CellMatches,
    target: tuple[Float[np.ndarray, "t 3"], Int[np.ndarray, "v 3"]],
    source: tuple[Float[np.ndarray, "s 3"], Int[np.ndarray, "w 3"]],
    resolution: int,
) -> SiteLift:
    """Lift a map between cells to sites: cell -> voxel -> site.

    A site takes the source site nearest to (centre of its voxel's source voxel + where the site
    lies inside its own voxel), and where its own voxel is empty at most half a voxel is added.

    Args:
        cells: matches of the latent cells; `mutual` False rejects a cell's match, None keeps all.
        target: sites, in the frame in which they were voxelised, and occupied voxels.
        source: the same of the source.
        resolution: voxels per axis, a multiple of `cells.resolution`.
    """
    target_sites, target_voxels = target
    source_sites, source_voxels = source
    factor = resolution // cells.resolution
    voxels = lift_to_voxels(
        target_voxels, source_voxels, cells.target_cells, cells.source_cells, resolution, factor
    )
    rows = voxel_of_sites(target_sites, target_voxels, resolution)
    half = 0.5 / resolution
    inside = np.clip(target_sites - centres(target_voxels, resolution)[rows], -half, half)
    goal = centres(source_voxels, resolution)[voxels.source_row[rows]] + inside
    match = nearest_rows(goal, source_sites)[1].astype(np.int64)
    cell_row = voxels.cell_row[rows]
    if cells.mutual is not None:
        match[~cells.mutual[cell_row]] = -1
    return SiteLift(match, cells.cosine[cell_row])
