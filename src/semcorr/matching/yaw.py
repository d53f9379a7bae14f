"""Which yaw of the target looks most like the source: chamfer distance and feature agreement."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.matching.cells import centres, occupied_cells
from semcorr.matching.cosine import unit_rows
from semcorr.matching.shape import Shape, grids_of

# points per shape in chamfer distances: enough for 1 % of the longest side, cheap for 48 yaws
CHAMFER_POINTS = 1024


@dataclass(frozen=True)
class Choice:
    """The chosen yaw, or another rotation, and why.

    Attributes:
        best: index of the chosen one.
        score: (k,) larger is better.
        chamfer: (k,) mean distance to the other shape's nearest point, longest side = 1.
        agreement: (k,) mean cosine of the best partners of both shapes' cells.
    """

    best: int
    score: Float[np.ndarray, " k"]
    chamfer: Float[np.ndarray, " k"]
    agreement: Float[np.ndarray, " k"]

    def summary(self) -> dict[str, Any]:
        """Return builtins for `SiteMatch.info`."""
        return {
            "yaws": len(self.score),
            "yaw_chamfer": float(self.chamfer[self.best]),
            "yaw_agreement": float(self.agreement[self.best]),
        }


def thinned(points: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` rows, evenly spaced; deterministic."""
    if len(points) <= count:
        return points
    return points[np.linspace(0, len(points) - 1, count).astype(np.int64)]


def chamfer_distances(
    source: Float[np.ndarray, "s 3"], candidates: list[Float[np.ndarray, "t 3"]]
) -> Float[np.ndarray, " k"]:
    """Return the symmetric chamfer distance of the source to every candidate.

    It is the mean of both directions' mean distance to the nearest point (not squared).
    """
    source = thinned(source, CHAMFER_POINTS)
    tree = cKDTree(source)
    distances = np.empty(len(candidates))
    for index, candidate in enumerate(candidates):
        candidate = thinned(candidate, CHAMFER_POINTS)
        there, _ = tree.query(candidate)
        back, _ = cKDTree(candidate).query(source)
        distances[index] = (there.mean() + back.mean()) / 2
    return distances


def feature_agreement(
    source_rows: Float[np.ndarray, "s c"], target_rows: Float[np.ndarray, "t c"]
) -> float:
    """Return how well two sets of unit features cover each other.

    It is the mean over both directions of the mean cosine with the best partner.
    """
    similarity = target_rows @ source_rows.T
    return float(similarity.max(axis=1).mean() + similarity.max(axis=0).mean()) / 2


def standardised(values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Return values minus their mean in units of their spread; zeros where they do not spread."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)


def choose(
    chamfer: Float[np.ndarray, " k"], agreement: Float[np.ndarray, " k"], chamfer_weight: float
) -> Choice:
    """Choose the yaw (or other rotation) with much agreement and little distance; the first of equals.

    Both are standardised over the rotations, so that the weight means the same for every feature and
    every pair: score = agreement - chamfer_weight * chamfer.
    """
    score = standardised(agreement) - chamfer_weight * standardised(chamfer)
    return Choice(int(np.argmax(score)), score, chamfer, agreement)


def choose_yaw(source: Shape, target: Shape, chamfer_weight: float = 1.0) -> Choice:
    """Choose among the target's yaws the one that fits the source's first one best.

    Args:
        source: grids and voxels; yaw 0 is used.
        target: grids and voxels of k yaws, features extracted anew for each.
        chamfer_weight: weight of the chamfer distance of voxel centres against feature agreement.
    """
    source_grids, target_grids = grids_of(source, target)
    resolution = source.voxel_resolution
    source_rows = cell_rows(source_grids[0], source.voxels[0], resolution)
    agreement = np.array(
        [
            feature_agreement(source_rows, cell_rows(grid, voxels, resolution))
            for grid, voxels in zip(target_grids, target.voxels, strict=True)
        ]
    )
    clouds = [centres(voxels, resolution) for voxels in target.voxels]
    chamfer = chamfer_distances(centres(source.voxels[0], resolution), clouds)
    return choose(chamfer, agreement, chamfer_weight)


def cell_rows(
    grid: Float[np.ndarray, "c r r r"], voxels: Int[np.ndarray, "m 3"], resolution: int
) -> Float[np.ndarray, "n c"]:
    """Return unit features of the occupied cells."""
    cells = occupied_cells(voxels, resolution, resolution // grid.shape[-1])
    return unit_rows(grid[:, cells[:, 0], cells[:, 1], cells[:, 2]].T)
