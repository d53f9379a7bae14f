"""Coarse-to-fine matching of latent cells (HNSR section 3; steps 5 to 9), vectorised."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from semcorr.errors import UserError
from semcorr.matching.cells import CellMatches, check_cells, decode, encode, occupied_cells
from semcorr.matching.cosine import COSINE_EPS
from semcorr.matching.lift import lift_sites
from semcorr.matching.poses import choose_poses
from semcorr.matching.result import SiteMatch, round_trip_confidence
from semcorr.matching.shape import Shape, grids_of
from semcorr.matching.yaw import choose_yaw

# entries of one similarity block: 64 MB in float32 whatever the size of the grids
BLOCK_ENTRIES = 1 << 24
# cells a side at which poses are compared: HNSR's coarsest level
POSE_CELLS = 4

# of every target cell: row of the matched source cell, cosine, gap
_Found = tuple[Int[np.ndarray, " t"], Float[np.ndarray, " t"], Float[np.ndarray, " t"]]


@dataclass(frozen=True)
class _Side:
    """Occupied cells of one shape at one level: sorted codes, unit columns, parents' rows."""

    codes: Int[np.ndarray, " n"]
    columns: Float[np.ndarray, "c n"]
    parents: Int[np.ndarray, " n"] | None


def pool_grid(grid: Float[np.ndarray, "c r r r"], factor: int) -> Float[np.ndarray, "c q q q"]:
    """Return the mean over blocks of factor^3 cells, empty cells included (HNSR step 5)."""
    channels, side = grid.shape[0], grid.shape[1]
    if grid.ndim != 4 or len(set(grid.shape[1:])) != 1:
        raise ValueError(f"grid: expected (c, r, r, r), got {grid.shape}")
    if factor < 1 or side % factor:
        raise ValueError(f"factor: expected a divisor of {side}, got {factor}")
    if factor == 1:
        return grid
    coarse = side // factor
    blocks = grid.reshape(channels, coarse, factor, coarse, factor, coarse, factor)
    return blocks.mean(axis=(2, 4, 6), dtype=grid.dtype)


def pool_levels(
    grid: Float[np.ndarray, "c r r r"], levels: int
) -> tuple[Float[np.ndarray, "c q q q"], ...]:
    """Return the pooled grids of all levels, coarse to fine; the last one is the grid itself."""
    if levels < 1 or grid.shape[-1] % (1 << (levels - 1)):
        raise ValueError(
            f"levels: expected >= 1 with 2^(levels-1) dividing {grid.shape[-1]}, got {levels}"
        )
    return tuple(pool_grid(grid, 1 << level) for level in reversed(range(levels)))


def most_levels(side: int) -> int:
    """Return how many levels a grid with `side` cells a side has: halved as long as it is even."""
    return (side & -side).bit_length()


def match_pooled(
    source_grids: tuple[Float[np.ndarray, "c q q q"], ...],
    target_grids: tuple[Float[np.ndarray, "c q q q"], ...],
    source_cells: Int[np.ndarray, "s 3"],
    target_cells: Int[np.ndarray, "t 3"],
    radius: float = 1.0,
    mutual: bool = False,
) -> tuple[tuple[CellMatches, ...], tuple[CellMatches, ...]]:
    """Match occupied cells of two shapes, coarse to fine, in both directions (HNSR steps 6-8).

    At the coarsest level every source cell is a candidate. Below it a cell's candidates are the
    children of the source cells that its parent, and the parent's occupied neighbours within
    `radius`, were matched to. Among equal cosines the lexicographically first source cell wins.

    Args:
        source_grids: features of all source cells, empty ones included, pooled (`pool_levels`), coarse
            to fine; axes (x, y, z). A single one gives the flat nearest neighbour.
        target_grids: the same of the target.
        source_cells: occupied source cells of the finest grid, any order.
        target_cells: occupied target cells of the finest grid, any order.
        radius: Euclidean, in cells of the parent's level: 0 = the parent alone, 1 = its face
            neighbours too (published), sqrt(2) = its edge neighbours too.
        mutual: mark the matches on which both directions agree.

    Returns:
        One record per level, coarse to fine: from target to source, and from source to target, in
        whose records the roles of the two are exchanged.

    Raises:
        ItemError: no occupied cell.
        ValueError: cells or radius do not fit.
    """
    if not radius >= 0:
        raise ValueError(f"radius: expected a number >= 0, got {radius}")
    source = _sides(source_grids, source_cells, "source_cells")
    target = _sides(target_grids, target_cells, "target_cells")
    resolutions = [grid.shape[-1] for grid in source_grids]
    forward = _search(source, target, resolutions, radius)
    backward = _search(target, source, resolutions, radius)
    return (
        _records(source, target, resolutions, forward, backward if mutual else None),
        _records(target, source, resolutions, backward, forward if mutual else None),
    )


def _records(
    source: list[_Side],
    target: list[_Side],
    resolutions: list[int],
    found: list[_Found],
    back: list[_Found] | None,
) -> tuple[CellMatches, ...]:
    """Return the matches of all levels as cells; `back` is the other direction, to mark agreement."""
    records = []
    for level, resolution in enumerate(resolutions):
        match, cosine, gap = found[level]
        agrees = None if back is None else back[level][0][match] == np.arange(len(match))
        target_of_level = decode(target[level].codes, resolution)
        source_of_level = decode(source[level].codes[match], resolution)
        records.append(
            CellMatches(resolution, target_of_level, source_of_level, cosine, gap, agrees)
        )
    return tuple(records)


def _sides(grids: tuple[np.ndarray, ...], cells: np.ndarray, what: str) -> list[_Side]:
    """Return the occupied cells of every level, coarse to fine."""
    finest = grids[-1].shape[-1]
    cells = check_cells(cells, finest, what)
    sides: list[_Side] = []
    for grid in grids:
        resolution = grid.shape[-1]
        codes = np.unique(encode(cells // (finest // resolution), resolution))
        # `take` is several times faster than an index along the second axis; no transposed copy
        columns = np.take(grid.reshape(len(grid), -1), codes, axis=1).astype(np.float32, copy=False)
        lengths = np.sqrt(np.einsum("cn,cn->n", columns, columns))
        columns /= np.maximum(lengths, np.float32(COSINE_EPS))
        parents = None
        if sides:
            coarse_codes = encode(decode(codes, resolution) // 2, resolution // 2)
            parents = np.searchsorted(sides[-1].codes, coarse_codes)
        sides.append(_Side(codes, columns, parents))
    return sides


def _search(
    source: list[_Side], target: list[_Side], resolutions: list[int], radius: float
) -> list[_Found]:
    """Return the match of every target cell per level, coarse to fine."""
    found: list[_Found] = []
    for level in range(len(resolutions)):
        near = parent_match = None
        if level:
            near = _Neighbourhood(target[level - 1].codes, resolutions[level - 1], radius)
            parent_match = found[-1][0]
        found.append(_search_level(source[level], target[level], near, parent_match))
    return found


def _search_level(
    source: _Side, target: _Side, near: "_Neighbourhood | None", parent_match: np.ndarray | None
) -> _Found:
    """Return match, cosine and gap of one level, in blocks of target cells."""
    count = len(target.codes)
    match = np.empty(count, np.int64)
    cosine, gap = np.empty(count, np.float32), np.empty(count, np.float32)
    step = max(1, BLOCK_ENTRIES // len(source.codes))
    for start in range(0, count, step):
        block = slice(start, start + step)
        similarity = target.columns[:, block].T @ source.columns
        if near is not None:
            parents, place = np.unique(target.parents[block], return_inverse=True)
            allowed = near.allowed_parents(parents, parent_match, int(source.parents.max()) + 1)
            similarity[~allowed[:, source.parents][place.ravel()]] = -np.inf
        rows = np.arange(len(similarity))
        best = similarity.argmax(axis=1)
        match[block], cosine[block] = best, similarity[rows, best]
        similarity[rows, best] = -np.inf
        gap[block] = cosine[block] - similarity.max(axis=1)
    return match, cosine, gap


class _Neighbourhood:
    """Occupied cells within a radius of each other on one level."""

    def __init__(self, codes: np.ndarray, resolution: int, radius: float):
        reach = int(np.floor(radius + 1e-9))
        offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1)
        offsets = offsets.reshape(-1, 3)
        self.offsets = offsets[(offsets**2).sum(axis=1) <= radius**2 + 1e-9]
        self.resolution = resolution
        self.cells = decode(codes, resolution)
        self.row_of_code = np.full(resolution**3, -1, np.int64)
        self.row_of_code[codes] = np.arange(len(codes))

    def allowed_parents(
        self, rows: Int[np.ndarray, " n"], match: Int[np.ndarray, " p"], num_source: int
    ) -> Bool[np.ndarray, "n s"]:
        """Return which source cells the given cells and their neighbours are matched to."""
        around = self.cells[rows][:, None, :] + self.offsets[None, :, :]
        inside = ((around >= 0) & (around < self.resolution)).all(axis=2)
        codes = encode(around.reshape(-1, 3), self.resolution).reshape(inside.shape)
        neighbours = np.where(inside, self.row_of_code[np.where(inside, codes, 0)], -1)
        owner, which = np.nonzero(neighbours >= 0)
        allowed = np.zeros((len(rows), num_source), dtype=bool)
        allowed[owner, match[neighbours[owner, which]]] = True
        return allowed


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Match cells coarse to fine, lift cells to voxels and voxels to sites (HNSR steps 5-9).

    Args:
        source: needs grids and voxels; its first pose is used, but with `align: rotation`.
        target: needs grids and voxels; with `align: yaw` one of its yaws is chosen, with `align:
            rotation` one pose of each shape.
        options: `levels`, `radius`, `align` ("none", "yaw", "rotation"), `chamfer_weight`, `mutual`.
        seed: unused, the search draws nothing.

    Returns:
        Both directions. Confidence = cosine of the finest cells times closeness of the round trip;
        with `mutual`, cells whose match is not mutual have no match.

    Raises:
        UserError: the grids are too small for so many levels; it begins with the option's name.
    """
    source_grids, target_grids = grids_of(source, target)
    resolution, side = source.voxel_resolution, source_grids.shape[-1]
    most = most_levels(side)
    if options.levels > most:
        raise UserError(
            f"levels: {options.levels} halve the grid {options.levels - 1} times, but the feature's"
            f" grid has {side} cells a side; set levels to at most {most}"
        )
    factor = resolution // side
    ours, theirs, info = _poses(source, target, options)
    source_cells = occupied_cells(source.voxels[ours], resolution, factor)
    target_cells = occupied_cells(target.voxels[theirs], resolution, factor)
    source_pools = pool_levels(source_grids[ours].astype(np.float32, copy=False), options.levels)
    target_pools = pool_levels(target_grids[theirs].astype(np.float32, copy=False), options.levels)
    levels = match_pooled(
        source_pools, target_pools, source_cells, target_cells, options.radius, options.mutual
    )
    there, back = (records[-1] for records in levels)
    here = source.turned_sites(ours), source.voxels[ours]
    away = target.turned_sites(theirs), target.voxels[theirs]
    forward = lift_sites(there, away, here, resolution)
    backward = lift_sites(back, here, away, resolution)
    confidence = round_trip_confidence(forward.cosine, target.sites, forward.match, backward.match)
    info |= {"cosine": float(there.cosine.mean())}
    return SiteMatch(forward.match, backward.match, confidence, info)


def _pose_factor(side: int) -> int:
    """Return the largest divisor of `side` that leaves `POSE_CELLS` cells or more."""
    fitting = (f for f in range(side // POSE_CELLS, 1, -1) if side % f == 0)
    return next(fitting, 1)


def _poses(source: Shape, target: Shape, options) -> tuple[int, int, dict[str, Any]]:
    """Return the pose of each shape that is matched, and facts about the choice."""
    if options.align == "rotation":
        factor = _pose_factor(source.grids.shape[-1])
        choice = choose_poses(
            source, target, lambda grid: pool_grid(grid, factor), options.chamfer_weight
        )
        return choice.source, choice.target, choice.summary()
    if options.align == "yaw":
        yaws = choose_yaw(source, target, options.chamfer_weight)
        return 0, yaws.best, yaws.summary() | {"yaw": yaws.best}
    return 0, 0, {"yaw": 0}
