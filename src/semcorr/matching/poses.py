"""Which stored poses of two shapes look most alike, among all pairs of poses; coarse first.

Features that do not turn with a shape are extracted in every pose (`voxels` with `rotations`). Two shapes
in k poses each have k^2 relative rotations for 2k extractions. Most pairs are dismissed by the positions
of a few voxels; features are compared for the others only, and only as pooled cells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from semcorr.matching.cells import centres
from semcorr.matching.shape import Shape, grids_of
from semcorr.matching.yaw import (
    cell_rows,
    chamfer_distances,
    choose,
    feature_agreement,
    thinned,
)

# points per pose in the first chamfer distances: enough to see that two shapes lie across each other
FEW_POINTS = 128
# pairs of poses whose features are compared
KEPT = 48

Grid = Float[np.ndarray, "c q q q"]


@dataclass(frozen=True)
class PoseChoice:
    """The chosen pair of poses and why.

    Attributes:
        source: index of the source's pose.
        target: index of the target's pose.
        pairs: how many pairs there were.
        compared: of how many of them features were compared.
        chamfer: of the chosen pair: mean distance to the other shape's nearest point, longest side = 1.
        agreement: of the chosen pair: mean cosine of the best partners of both shapes' pooled cells.
    """

    source: int
    target: int
    pairs: int
    compared: int
    chamfer: float
    agreement: float

    def summary(self) -> dict[str, Any]:
        """Return builtins for `SiteMatch.info`."""
        return {
            "source_pose": self.source,
            "target_pose": self.target,
            "pose_pairs": self.pairs,
            "pose_pairs_compared": self.compared,
            "pose_chamfer": self.chamfer,
            "pose_agreement": self.agreement,
        }


def choose_poses(
    source: Shape,
    target: Shape,
    pool: Callable[[Grid], Grid],
    chamfer_weight: float = 1.0,
    kept: int = KEPT,
) -> PoseChoice:
    """Choose the pair of poses whose voxels and features fit best.

    Args:
        source: grids and voxels of k poses, features extracted anew for each.
        target: the same.
        pool: what is done to a float32 grid before its cells are compared.
        chamfer_weight: weight of the chamfer distance of voxel centres against feature agreement, both
            standardised over the `kept` pairs (`yaw.choose`).
        kept: pairs whose features are compared: those of least chamfer distance between a few voxels.
    """
    grids_of(source, target)
    clouds = [_clouds(shape) for shape in (source, target)]
    rough = pair_chamfers(*([thinned(c, FEW_POINTS) for c in of_shape] for of_shape in clouds))
    ours, theirs = least(rough, kept)
    rows = lru_cache(maxsize=None)(
        lambda shape, pose: _pooled_rows((source, target)[shape], pose, pool)
    )
    chamfer = np.array(
        [
            chamfer_distances(clouds[0][i], [clouds[1][j]])[0]
            for i, j in zip(ours, theirs, strict=True)
        ]
    )
    agreement = np.array(
        [
            feature_agreement(rows(0, int(i)), rows(1, int(j)))
            for i, j in zip(ours, theirs, strict=True)
        ]
    )
    best = choose(chamfer, agreement, chamfer_weight).yaw
    return PoseChoice(
        int(ours[best]),
        int(theirs[best]),
        rough.size,
        len(chamfer),
        float(chamfer[best]),
        float(agreement[best]),
    )


def pair_chamfers(
    sources: list[Float[np.ndarray, "s 3"]], targets: list[Float[np.ndarray, "t 3"]]
) -> Float[np.ndarray, "k l"]:
    """Return the symmetric chamfer distance (`yaw.chamfer_distances`) of every source to every target.

    Args:
        sources: one cloud per pose, each of as many points or fewer.
        targets: the same.
    """
    return (_mean_distances(sources, targets) + _mean_distances(targets, sources).T) / 2


def _mean_distances(queries: list[np.ndarray], clouds: list[np.ndarray]) -> np.ndarray:
    """Return for (query cloud, cloud) the mean distance of the first's points to the second."""
    starts = np.cumsum([0, *(len(cloud) for cloud in queries)])
    everything = np.concatenate(queries)
    means = np.empty((len(queries), len(clouds)))
    for column, cloud in enumerate(clouds):
        distances, _ = cKDTree(cloud).query(everything)
        means[:, column] = np.add.reduceat(distances, starts[:-1]) / np.diff(starts)
    return means


def least(
    values: Float[np.ndarray, "k l"], count: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return rows and columns of the `count` least values, least first, equal ones in their order."""
    order = np.argsort(values, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, values.shape)
    return rows, columns


def _clouds(shape: Shape) -> list[np.ndarray]:
    return [centres(voxels, shape.voxel_resolution) for voxels in shape.voxels]


def _pooled_rows(shape: Shape, pose: int, pool: Callable[[Grid], Grid]) -> np.ndarray:
    grid = pool(shape.grids[pose].astype(np.float32))
    return cell_rows(grid, shape.voxels[pose], shape.voxel_resolution)
