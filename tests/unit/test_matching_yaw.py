"""Choice of a yaw, and matching in the chosen yaw."""

from types import SimpleNamespace

import numpy as np
import pytest

from semcorr.matching.cells import cell_of_points
from semcorr.matching.hierarchical import match
from semcorr.matching.rotations import turns
from semcorr.matching.shape import Shape
from semcorr.matching.yaw import (
    chamfer_distances,
    choose,
    choose_yaw,
    feature_agreement,
    standardised,
    thinned,
)

YAWS, RESOLUTION, GRID = 8, 32, 8


def body(count=6000):
    """Points of a wedge inside the unit sphere's half: unlike itself under every yaw."""
    generator = np.random.default_rng(0)
    points = generator.uniform(-0.3, 0.3, size=(count, 3))
    return points[points[:, 0] > points[:, 1] * 0.4 + 0.1 * points[:, 2]]


def of_yaws(points, name):
    """Grids and voxels of a shape for all yaws; features are a function of the turned position."""
    voxels, grids = [], []
    field = np.random.default_rng(5).normal(size=(12, GRID, GRID, GRID)).astype(np.float32)
    for rotation in turns(YAWS):
        voxels.append(np.unique(cell_of_points(points @ rotation.T, RESOLUTION), axis=0))
        grids.append(field)
    return Shape(points, 0, None, np.stack(grids), tuple(voxels), RESOLUTION, name=name)


def test_chamfer_by_hand_and_against_brute_force():
    source = np.array([[0.0, 0, 0], [1, 0, 0]])
    near, far = np.array([[0.0, 0, 0.1]]), np.array([[0.0, 0, 3]])
    found = chamfer_distances(source, [near, far])
    assert found[0] == pytest.approx((0.1 + (0.1 + np.hypot(1, 0.1)) / 2) / 2)
    assert found[1] == pytest.approx((3 + (3 + np.hypot(1, 3)) / 2) / 2)


def test_feature_agreement_by_hand():
    source = np.eye(3, dtype=np.float32)
    target = np.array([[1, 0, 0], [0.6, 0.8, 0]], np.float32)
    # per target 1 and .8, per source 1, .8 and 0
    assert feature_agreement(source, target) == pytest.approx((0.9 + 0.6) / 2)


def test_choose_weighs_both():
    chamfer, agreement = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.15, 0.9])
    assert choose(chamfer, agreement, 0.0).best == 2
    assert choose(chamfer, agreement, 10.0).best == 0
    assert choose(np.ones(3), np.ones(3), 1.0).best == 0
    np.testing.assert_array_equal(standardised(np.ones(4)), np.zeros(4))


def test_thinned_keeps_the_ends():
    assert thinned(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert thinned(np.arange(3), 4).tolist() == [0, 1, 2]


@pytest.mark.parametrize("turn", [0, 3, 6])
def test_the_yaw_that_undoes_the_turn_is_chosen(turn):
    points = body()
    source, target = of_yaws(points, "source"), of_yaws(points @ turns(YAWS)[turn].T, "target")
    choice = choose_yaw(source, target, 1.0)
    assert choice.best == -turn % YAWS
    assert choice.chamfer[choice.best] == choice.chamfer.min()
    options = SimpleNamespace(levels=1, radius=1.0, align="yaw", chamfer_weight=1.0, mutual=False)
    found = match(source, target, options, 0)
    assert found.info["yaw"] == choice.best and found.info["yaws"] == YAWS
    moved = np.linalg.norm(source.sites[found.target_to_source] - points, axis=1)
    assert np.quantile(moved, 0.99) < 0.06
    options.align = "none"
    unturned = match(source, target, options, 0)
    moved = np.linalg.norm(source.sites[unturned.target_to_source] - points, axis=1)
    assert (np.median(moved) < 0.02) == (turn == 0)


def test_sites_are_turned_by_the_given_matrix():
    points = body()
    matrix = np.eye(4)
    matrix[:3, :3] *= 0.5
    matrix[:3, 3] = 0.1
    shape = Shape(
        points,
        0,
        None,
        np.zeros((1, 1, 4, 4, 4), np.float32),
        (np.zeros((1, 3), int),),
        8,
        matrix[None],
    )
    np.testing.assert_allclose(shape.turned_sites(0), points * 0.5 + 0.1)
