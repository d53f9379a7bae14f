"""Choice of a pair of poses against comparing all pairs, and matching in the chosen poses."""

from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from semcorr.config.voxels import Voxel
from semcorr.geometry.voxels import split_yaws
from semcorr.matching.cells import centres
from semcorr.matching.hierarchical import match, pool_grid
from semcorr.matching.poses import choose_poses, least, pair_chamfers
from semcorr.matching.rotations import pose_rotations
from semcorr.matching.shape import Shape
from semcorr.matching.yaw import cell_rows, chamfer_distances, feature_agreement, standardised
from semcorr.stages.voxels import voxels_of

POSES, RESOLUTION, GRID = 12, 16, 8
OPTIONS = SimpleNamespace(levels=1, radius=1.0, align="rotation", chamfer_weight=1.0, mutual=False)


def bent_block(rotation):
    """Vertices and faces of a body without symmetry, turned: a foot and an arm that leans over it."""
    foot = trimesh.creation.box([1, 0.3, 0.2]).apply_translation([0, 0, -0.3])
    arm = trimesh.creation.box([0.2, 0.45, 0.8]).apply_translation([0.4, 0.07, 0])
    mesh = trimesh.util.concatenate([foot, arm]).subdivide_to_size(0.12)
    vertices = mesh.vertices @ rotation.T
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return (vertices - (low + high) / 2) / (high - low).max(), mesh.faces


def in_poses(rotation, name, poses=POSES, field_seed=5):
    """The block in all poses; features are a function of the turned position, as the flow network's."""
    vertices, faces = bent_block(rotation)
    arrays = voxels_of(vertices, faces, Voxel(resolution=RESOLUTION, rotations=poses))
    field = np.random.default_rng(field_seed).normal(size=(6, GRID, GRID, GRID))
    grids = np.tile(field.astype(np.float16), (poses, 1, 1, 1, 1))
    matrices = arrays["turned_from_world"]
    cells = tuple(split_yaws(arrays))
    return Shape(vertices, 0, None, grids, cells, RESOLUTION, matrices, name)


def pool(grid):
    return pool_grid(grid, 2)


def test_voxels_hold_every_pose_in_the_unit_box():
    vertices, faces = bent_block(np.eye(3))
    arrays = voxels_of(vertices, faces, Voxel(resolution=RESOLUTION, rotations=POSES))
    assert len(arrays["cell_counts"]) == POSES
    assert np.array_equal(arrays["turned_from_world"][0], np.eye(4))
    for matrix, rotation in zip(arrays["turned_from_world"], pose_rotations(POSES), strict=True):
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        if not np.array_equal(rotation, np.eye(3)):
            assert np.ptp(placed, axis=0).max() == pytest.approx(1)
            np.testing.assert_allclose(placed.max(axis=0), -placed.min(axis=0), atol=1e-12)
        scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
        np.testing.assert_allclose(matrix[:3, :3] / scale, rotation, atol=1e-12)


def test_pair_chamfers_equal_those_of_every_pair():
    generator = np.random.default_rng(0)
    sources = [generator.normal(size=(n, 3)) for n in (30, 41, 5)]
    targets = [generator.normal(size=(n, 3)) for n in (17, 29)]
    found = pair_chamfers(sources, targets)
    wanted = np.stack([chamfer_distances(cloud, targets) for cloud in sources])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    rows, columns = least(wanted, 3)
    assert np.array_equal(wanted[rows, columns], np.sort(wanted.ravel())[:3])
    assert len(least(wanted, 100)[0]) == 6


@pytest.mark.parametrize("seed", range(3))
def test_few_compared_pairs_give_the_choice_of_all(seed):
    turn = Rotation.random(random_state=seed).as_matrix()
    source, target = in_poses(np.eye(3), "source"), in_poses(turn, "target")
    found = choose_poses(source, target, pool, kept=24)
    assert (found.pairs, found.compared) == (POSES**2, 24)
    every = choose_poses(source, target, pool, kept=POSES**2)
    assert every.compared == POSES**2
    # the slow way, spelled out
    clouds = [[centres(v, RESOLUTION) for v in shape.voxels] for shape in (source, target)]
    rows = [
        [
            cell_rows(pool(g.astype(np.float32)), v, RESOLUTION)
            for g, v in zip(s.grids, s.voxels, strict=True)
        ]
        for s in (source, target)
    ]
    chamfer = np.stack([chamfer_distances(cloud, clouds[1]) for cloud in clouds[0]])
    agreement = np.array([[feature_agreement(a, b) for b in rows[1]] for a in rows[0]])
    score = standardised(agreement.ravel()) - standardised(chamfer.ravel())
    best = np.unravel_index(np.argmax(score), chamfer.shape)
    assert (every.source, every.target) == best
    # of all pairs, the few have one that is as good
    place = chamfer[found.source, found.target], agreement[found.source, found.target]
    assert place[0] <= 1.1 * chamfer[best] and place[1] >= agreement[best] - 0.02


@pytest.mark.parametrize("seed", range(3))
def test_a_freely_turned_copy_is_matched(seed):
    turn = Rotation.random(random_state=10 + seed).as_matrix()
    source, target = in_poses(np.eye(3), "source", 32), in_poses(turn, "target", 32)
    found = match(source, target, OPTIONS, 0)
    assert found.info["pose_pairs"] == 1024
    plain = match(source, target, SimpleNamespace(**vars(OPTIONS) | {"align": "none"}), 0)
    moved, unturned = (
        np.linalg.norm(source.sites[m.target_to_source] - source.sites, axis=1)
        for m in (found, plain)
    )
    assert np.median(moved) < 0.12 < np.median(unturned)


def test_half_precision_grids_give_the_match_of_full_precision():
    source, target = in_poses(np.eye(3), "source"), in_poses(pose_rotations(POSES)[3], "target")
    wide = [
        Shape(
            s.sites, 0, None, s.grids.astype(np.float32), s.voxels, RESOLUTION, s.turned_from_world
        )
        for s in (source, target)
    ]
    found, again = match(source, target, OPTIONS, 0), match(*wide, OPTIONS, 0)
    assert np.array_equal(found.target_to_source, again.target_to_source)
    assert found.info == again.info
