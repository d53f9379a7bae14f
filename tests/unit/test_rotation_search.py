"""Sets of rotations, and the search over all of them against trying very many."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from semcorr.matching import rotation_search, spatial
from semcorr.matching.rotation_search import apart, chamfer_of_turns, search
from semcorr.matching.rotations import (
    all_rotations,
    box_rotations,
    pose_rotations,
    spiral_rotations,
    turn_about_centre,
    turn_into_box,
)
from semcorr.matching.shape import Shape
from semcorr.matching.yaw import chamfer_distances


def degrees_between(first, second):
    """Angles between every rotation of one set and every one of another."""
    traces = np.einsum("aij,bij->ab", first, second)
    return np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))


def farthest(rotations, count=2000):
    """The largest angle from any of many random rotations to the nearest of a set."""
    wanted = Rotation.random(count, random_state=0).as_matrix()
    return degrees_between(wanted, rotations).min(axis=1).max()


def bent_block(count=600):
    """Points of a body without symmetry: a foot and an arm that leans."""
    generator = np.random.default_rng(0)
    foot = generator.uniform([-0.5, -0.15, -0.4], [0.5, 0.15, -0.2], size=(count // 2, 3))
    arm = generator.uniform([0.3, -0.15, -0.4], [0.5, 0.3, 0.4], size=(count - count // 2, 3))
    return turn_into_box(np.concatenate([foot, arm]), np.eye(3))


# --- sets ---------------------------------------------------------------------------------------


def test_the_rotations_of_the_cube_are_a_group():
    group = pose_rotations(24)
    products = (group[:, None] @ group[None]).reshape(-1, 3, 3)
    assert degrees_between(products, group).min(axis=1).max() < 1e-5
    assert np.array_equal(group, box_rotations())


@pytest.mark.parametrize("count", [2, 24, 32, 72, 576])
def test_poses_begin_with_the_shape_as_it_is_and_are_the_same_every_time(count):
    rotations = pose_rotations(count)
    assert rotations.shape == (count, 3, 3)
    assert np.array_equal(rotations[0], np.eye(3))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (count, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    assert np.array_equal(rotations, pose_rotations(count))
    between = degrees_between(rotations, rotations)[np.triu_indices(count, 1)]
    assert between.min() > {2: 90, 24: 89, 32: 40, 72: 35, 576: 19}[count]


def test_more_rotations_leave_smaller_holes():
    # the rotation farthest from those of the cube turns by 62.8 degrees
    assert 58 < farthest(pose_rotations(24)) < 62.9
    assert farthest(pose_rotations(72)) < 60
    assert farthest(spiral_rotations(576)) < 30
    assert farthest(all_rotations(1024)) < 23


def test_pairs_of_poses_of_a_spiral_are_as_good_as_a_grid():
    poses = pose_rotations(32)
    relative = (poses.transpose(0, 2, 1)[:, None] @ poses[None]).reshape(-1, 3, 3)
    assert farthest(poses) > 60
    assert farthest(relative) < 40
    near = degrees_between(Rotation.random(500, random_state=1).as_matrix(), relative).min(axis=1)
    assert near.mean() < 16
    with pytest.raises(ValueError, match="at least 1 rotation, got 0"):
        pose_rotations(0)


# --- search -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 5000, 1 << 18])
@pytest.mark.parametrize("boxed", [False, True])
def test_chamfer_of_turns_equals_chamfer_of_turned_points(boxed, rows, monkeypatch):
    monkeypatch.setattr(rotation_search, "_ROWS", rows)
    points, rotations = bent_block(), all_rotations(40)
    source, target = points[:150] * [1, 0.8, 1.1], points[::2]
    place = turn_into_box if boxed else turn_about_centre
    moved = [place(points, rotation)[::2] for rotation in rotations]
    found = chamfer_of_turns(source, target, rotations, points if boxed else None)
    np.testing.assert_allclose(found, chamfer_distances(source, moved), rtol=1e-9)


def test_the_best_are_apart():
    rotations = np.concatenate(
        [box_rotations(), box_rotations() @ Rotation.from_euler("x", 3, degrees=True).as_matrix()]
    )
    scores = -np.arange(48.0)
    assert apart(rotations, scores, 5) == [0, 1, 2, 3, 4]
    assert apart(rotations, scores, 48) == list(range(24))
    assert apart(rotations, scores[::-1].copy(), 2) == [47, 46]


@pytest.mark.parametrize("number", range(4))
def test_search_is_as_good_as_trying_very_many(number):
    points = bent_block(200)
    hidden = Rotation.random(6, random_state=1).as_matrix()[number]
    target = turn_about_centre(points, hidden)
    few = points[::4], target[::4]

    def rough(rotations):
        return -chamfer_of_turns(*few, rotations)

    def fine(rotations):
        return -chamfer_of_turns(points, target, rotations)

    found, scores = search(all_rotations(1024), rough, fine)
    best = found[scores.argmax()]
    assert degrees_between(best[None], hidden.T[None]).max() < 5
    # the slow way: the full score of 4120 rotations
    assert scores.max() >= fine(all_rotations()).max()


@pytest.mark.parametrize("normalise", ["box", "samples"])
def test_spatial_finds_any_rotation(normalise):
    points = bent_block()
    hidden = Rotation.random(random_state=5).as_matrix()
    source, target = Shape(points, 0), Shape(turn_into_box(points, hidden), 0)
    options = SimpleNamespace(align="rotation", rotations=1024, normalise=normalise)
    found = spatial.match(source, target, options, 0)
    chosen = np.array(found.info["rotation_matrix"])
    assert degrees_between(chosen[None], hidden.T[None]).max() < 5
    moved = np.linalg.norm(source.sites[found.target_to_source] - points, axis=1)
    assert np.mean(moved < 0.05) > 0.95
    again = spatial.match(source, target, options, 1)
    assert np.array_equal(found.target_to_source, again.target_to_source)
