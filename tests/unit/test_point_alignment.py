"""Labelled points moved onto a shape: the frame, the search, the published shift."""

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.geometry.part_labels import labels_from_points, merge_labels
from semcorr.geometry.point_alignment import (
    align,
    best_shift,
    legacy_shift,
    points_in_frame,
    sum_of_distances,
    to_point_frame,
    to_world,
)


def l_shape(count, seed, arm=1.0):
    """Points on a long bar along x and a short one along z at its end; `arm` is its share."""
    random = np.random.default_rng(seed)
    bar = np.column_stack(
        [random.uniform(-0.5, 0.5, count), *random.uniform(-0.02, 0.02, (2, count))]
    )
    short = np.column_stack(
        [
            random.uniform(0.46, 0.5, count),
            random.uniform(-0.02, 0.02, count),
            random.uniform(0, 0.4, count),
        ]
    )
    return np.concatenate([bar, short[: int(arm * count)]])


def test_frames_by_hand():
    points = np.array([[0.0, 0.0, 0.0], [2.0, 1.0, 0.5]])
    np.testing.assert_allclose(
        points_in_frame(points, mirrored=False), [[0.5, -0.25, 0.125], [-0.5, 0.25, -0.125]]
    )
    np.testing.assert_allclose(
        points_in_frame(points, mirrored=True), [[0.5, -0.25, -0.125], [-0.5, 0.25, 0.125]]
    )
    # published: (x, y, z) of the voxels' frame, front at +Y, is (-y, z, -x)
    np.testing.assert_array_equal(to_point_frame(np.array([[1.0, 2.0, 3.0]]), "+z"), [[-2, 3, -1]])
    # ours has the front at -Y: turned by half
    np.testing.assert_array_equal(to_point_frame(np.array([[-1.0, -2.0, 3.0]])), [[-2, 3, -1]])
    world = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(to_world(to_point_frame(world)), world, atol=1e-15)


@pytest.mark.parametrize("shift", [(0.03, -0.02, 0.04), (-0.05, 0.0, 0.0), (0.0, 0.0, 0.0)])
def test_a_shift_is_found_in_all_axes(shift):
    targets = l_shape(3000, 0)
    points = l_shape(400, 1) - shift
    np.testing.assert_allclose(best_shift(points, targets), shift, atol=0.005)


@pytest.mark.parametrize("seed", range(20))
def test_no_shift_is_never_better(seed):
    random = np.random.default_rng(seed)
    points, targets = random.normal(size=(40, 3)), random.normal(size=(60, 3))
    found = sum_of_distances(points, targets, best_shift(points, targets))
    assert found <= sum_of_distances(points, targets)


def test_where_points_are_spread_unevenly_the_published_shift_is_worse_than_none():
    targets, points = l_shape(3000, 0), l_shape(400, 1, arm=0.1)
    legacy = legacy_shift(points, targets)
    assert legacy[2] == 0 and np.abs(legacy).max() > 0.05
    none = sum_of_distances(points, targets)
    assert sum_of_distances(points, targets, legacy) > 2 * none
    assert sum_of_distances(points, targets, best_shift(points, targets)) <= none


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_better_of_rotation_and_mirror_is_taken(mirrored):
    placed = l_shape(400, 1)
    low, high = placed.min(axis=0), placed.max(axis=0)
    raw = (placed - (low + high) / 2) * ((-1, 1, 1) if mirrored else (-1, 1, -1))
    targets = points_in_frame(l_shape(3000, 0), mirrored=True) * (-1, 1, 1)
    found = align(raw, targets)
    assert found.mirrored is mirrored
    assert sum_of_distances(found.points, targets) / len(raw) < 0.02
    assert align(raw, targets, legacy=True).mirrored


def test_a_symmetric_shape_is_rotated():
    random = np.random.default_rng(0)
    half = random.uniform(-0.5, 0.5, (500, 3))
    raw = np.concatenate([half, half * (1, 1, -1)])
    assert not align(raw, points_in_frame(raw, mirrored=True)).mirrored


@pytest.mark.parametrize("raw", [np.zeros((0, 3)), np.ones((4, 3)), np.full((2, 3), np.inf)])
def test_points_that_have_no_box(raw):
    with np.errstate(invalid="ignore"), pytest.raises(ItemError, match="labelled points: "):
        align(raw, np.eye(3))


def test_labels_of_the_nearest_point():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]])
    labels = np.array([7, 3, 5, 4])
    positions = np.array([[0.4, 0, 0], [0.6, 0, 0], [0.5, 0, 0], [9.0, 0, 0]])
    # of equally near points the smallest label, for both ties
    assert labels_from_points(positions, points, labels).tolist() == [7, 3, 3, 4]
    with pytest.raises(ItemError, match="there is none"):
        labels_from_points(positions, points[:0], labels[:0])
    with pytest.raises(ValueError, match=r"expected \(4,\)"):
        labels_from_points(positions, points, labels[:2])


def test_labels_equal_those_of_a_plain_search():
    random = np.random.default_rng(3)
    points, positions = random.normal(size=(300, 3)), random.normal(size=(500, 3))
    labels = random.integers(4, size=300)
    away = np.linalg.norm(positions[:, None] - points, axis=2)
    assert np.array_equal(
        labels_from_points(positions, points, labels), labels[away.argmin(axis=1)]
    )


def test_merging_leaves_out_what_is_in_no_class():
    assert merge_labels(np.array([0, -1, 2, 1]), [(1, 1), (2, 0)]).tolist() == [1, -1, 0, 0]
