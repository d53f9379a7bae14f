"""Which stored poses of two shapes to match: those that lie to each other as the shapes themselves do.

Features that do not turn with a shape are extracted in every pose (`voxels` with `rotations`). Two shapes
in k poses each have k^2 relative rotations for 2k extractions. Positions say which rotations are
possible; features are compared for the few that are left, and only as pooled cells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.matching.rotation_search import search_positions
from semcorr.matching.rotations import turns
from semcorr.matching.shape import Shape, concentric_sites, grids_of
from semcorr.matching.yaw import cell_rows, choose, feature_agreement

# rotations that are tried on positions, beside the 24 of the cube
CANDIDATES = 1024

Grid = Float[np.ndarray, "c q q q"]
Rotations = Float[np.ndarray, "k 3 3"]


@dataclass(frozen=True)
class PoseChoice:
    """The chosen pair of poses and why.

    Attributes:
        source: index of the source's pose.
        target: index of the target's pose.
        rotation: the target's rotation that the pair stands for.
        compared: of how many rotations features were compared.
        chamfer: after the rotation: mean distance to the other shape's nearest point.
        agreement: of the pair: mean cosine of the best partners of both shapes' pooled cells.
    """

    source: int
    target: int
    rotation: Float[np.ndarray, "3 3"]
    compared: int
    chamfer: float
    agreement: float

    def summary(self) -> dict[str, Any]:
        """Return builtins for `SiteMatch.info`."""
        return {
            "source_pose": self.source,
            "target_pose": self.target,
            "rotation_matrix": self.rotation.tolist(),
            "rotations_compared": self.compared,
            "rotation_chamfer": self.chamfer,
            "rotation_agreement": self.agreement,
        }


def choose_poses(
    source: Shape,
    target: Shape,
    pool: Callable[[Grid], Grid],
    chamfer_weight: float = 1.0,
    candidates: int = CANDIDATES,
) -> PoseChoice:
    """Choose the pair of poses in which positions and features fit best.

    Args:
        source: grids and voxels of k poses, features extracted anew for each.
        target: the same.
        pool: what is done to a float32 grid before its cells are compared.
        chamfer_weight: weight of the chamfer distance against feature agreement, both standardised over
            the rotations that the search on positions leaves (`yaw.choose`).
        candidates: rotations that the search begins with.
    """
    grids_of(source, target)
    sites = concentric_sites(source, target)
    rotations, chamfer = search_positions(
        sites[0][source.sample_rows], sites[1][target.sample_rows], candidates
    )
    ours, theirs = nearest_pairs(rotations, rotations_of(source), rotations_of(target))
    agreement = np.array(
        [
            feature_agreement(_pooled(source, i, pool), _pooled(target, j, pool))
            for i, j in zip(ours, theirs, strict=True)
        ]
    )
    best = choose(chamfer, agreement, chamfer_weight).best
    return PoseChoice(
        int(ours[best]),
        int(theirs[best]),
        rotations[best],
        len(rotations),
        float(chamfer[best]),
        float(agreement[best]),
    )


def nearest_pairs(
    rotations: Float[np.ndarray, "n 3 3"], sources: Rotations, targets: Rotations
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return for every rotation of the target the poses (source, target) that stand for it best.

    Where R puts the target on the source, sources[i] R puts it on the source in pose i: the angle to
    targets[j] is what is left over.
    """
    traces = np.einsum("iab,nbc,jac->nij", sources, rotations, targets)
    best = traces.reshape(len(rotations), -1).argmax(axis=1)
    rows, columns = np.divmod(best, len(targets))
    return rows, columns


def rotations_of(shape: Shape) -> Rotations:
    """Return how the shape is turned in each of its poses, without scale and centre."""
    if shape.turned_from_world is None:
        return turns(len(shape.grids))
    linear = shape.turned_from_world[:, :3, :3]
    return linear / np.cbrt(np.linalg.det(linear))[:, None, None]


def _pooled(shape: Shape, pose: int, pool: Callable[[Grid], Grid]) -> Float[np.ndarray, "n c"]:
    """Return unit features of the pooled occupied cells."""
    grid = pool(shape.grids[pose].astype(np.float32))
    return cell_rows(grid, shape.voxels[pose], shape.voxel_resolution)
