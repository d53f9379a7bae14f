"""Choice of a pair of poses against comparing all pairs, and matching in the chosen poses."""

from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from semcorr.config.voxels import Voxel
from semcorr.geometry.voxels import split_yaws
from semcorr.matching.hierarchical import match, pool_grid
from semcorr.matching.poses import choose_poses, nearest_pairs, rotations_of
from semcorr.matching.rotations import all_rotations, pose_rotations, turn_about_centre, turns
from semcorr.matching.shape import Shape, concentric_sites
from semcorr.matching.yaw import cell_rows, chamfer_distances, feature_agreement
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


def test_the_nearest_pair_is_that_of_least_angle():
    wanted = Rotation.random(5, random_state=3).as_matrix()
    sources, targets = pose_rotations(7), pose_rotations(9)
    rows, columns = nearest_pairs(wanted, sources, targets)
    for rotation, i, j in zip(wanted, rows, columns, strict=True):
        angles = [
            [Rotation.from_matrix(s @ rotation @ t.T).magnitude() for t in targets] for s in sources
        ]
        assert angles[i][j] == pytest.approx(np.min(angles))


def test_poses_of_a_shape_are_its_rotations_whatever_its_scale():
    np.testing.assert_allclose(
        rotations_of(in_poses(np.eye(3), "source")), pose_rotations(POSES), atol=1e-12
    )
    plain = Shape(
        np.zeros((1, 3)), 0, None, np.zeros((4, 1, 2, 2, 2)), (np.zeros((1, 3), int),) * 4, 2
    )
    np.testing.assert_array_equal(rotations_of(plain), turns(4))


@pytest.mark.parametrize("seed", range(3))
def test_the_chosen_pair_is_nearly_the_best_of_all(seed):
    turn = Rotation.random(random_state=seed).as_matrix()
    source, target = in_poses(np.eye(3), "source"), in_poses(turn, "target")
    found = choose_poses(source, target, pool)
    assert found.compared <= 8
    # the slow way: chamfer distances of as many samples under hundreds of rotations
    sites = concentric_sites(source, target)
    moved = [turn_about_centre(sites[1], rotation) for rotation in all_rotations(300)]
    assert found.chamfer <= chamfer_distances(sites[0], moved).min()
    assert np.degrees(Rotation.from_matrix(found.rotation @ turn).magnitude()) < 12
    # what every pair leaves over, and the one that was chosen
    poses = pose_rotations(POSES)
    left = np.array(
        [[Rotation.from_matrix(a @ turn.T @ b.T).magnitude() for b in poses] for a in poses]
    )
    assert np.degrees(left[found.source, found.target] - left.min()) < 12
    rows = [
        cell_rows(pool(s.grids[k].astype(np.float32)), s.voxels[k], RESOLUTION)
        for s, k in ((source, found.source), (target, found.target))
    ]
    assert found.agreement == pytest.approx(feature_agreement(*rows))


@pytest.mark.parametrize("seed", range(3))
def test_a_freely_turned_copy_is_matched(seed):
    turn = Rotation.random(random_state=10 + seed).as_matrix()
    source, target = in_poses(np.eye(3), "source", 32), in_poses(turn, "target", 32)
    found = match(source, target, OPTIONS, 0)
    angle = Rotation.from_matrix(np.array(found.info["rotation_matrix"]) @ turn).magnitude()
    assert np.degrees(angle) < 12
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
