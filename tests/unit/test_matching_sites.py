"""Matchers on sites: nearest, spatial, random, guided; and the records they share."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.matching import guided, nearest, random, spatial
from semcorr.matching.cosine import best_rows, unit_rows
from semcorr.matching.guided import heaviest, match_aligned, score_rotations, soft_mutual_matches
from semcorr.matching.result import SiteMatch, round_trip_confidence
from semcorr.matching.rotations import (
    all_rotations,
    box_rotations,
    turn_about_centre,
    turn_into_box,
    turns,
)
from semcorr.matching.shape import Shape, concentric_sites

BOX = SimpleNamespace(align="none", normalise="box")
GUIDED = SimpleNamespace(temperature=0.03, sigma=0.12, position_weight=2.0, yaws=48, align="yaw")


def bent_block(count=800, seed=0):
    """Points of an L-shaped body: no rotation but the identity maps it onto itself."""
    generator = np.random.default_rng(seed)
    foot = generator.uniform([-0.5, -0.15, -0.4], [0.5, 0.15, -0.2], size=(count // 2, 3))
    arm = generator.uniform([0.3, -0.15, -0.4], [0.5, 0.3, 0.4], size=(count - count // 2, 3))
    return turn_into_box(np.concatenate([foot, arm]), np.eye(3))


def waves(points, channels=24, seed=1):
    """Smooth features of positions, the same function for every shape."""
    generator = np.random.default_rng(seed)
    return np.sin(
        points @ generator.normal(size=(3, channels)) * 5 + generator.uniform(0, 6, channels)
    )


def turned_pair(rotation, count=800):
    points = bent_block(count)
    source = Shape(points, 0, site_features=waves(points), name="source")
    target_points = turn_into_box(points, rotation)
    return source, Shape(target_points, 0, site_features=waves(points), name="target")


# --- cosine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [(7, 5), (1, 1), (1000, 1000)])
def test_best_rows_equal_the_whole_matrix(blocks):
    generator = np.random.default_rng(0)
    source = generator.normal(size=(61, 8)).astype(np.float32)
    target = generator.normal(size=(43, 8)).astype(np.float32)
    found = best_rows(source, target, *blocks)
    scores = target.astype(np.float64) @ source.T
    np.testing.assert_array_equal(found.target_to_source, scores.argmax(axis=1))
    np.testing.assert_array_equal(found.source_to_target, scores.argmax(axis=0))
    np.testing.assert_allclose(found.score, scores.max(axis=1), rtol=1e-5)


def test_best_rows_take_the_first_of_equals_across_blocks():
    rows = np.ones((5, 2), np.float32)
    found = best_rows(rows, rows, 2, 2)
    assert found.target_to_source.tolist() == found.source_to_target.tolist() == [0] * 5


def test_best_rows_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 4\)"):
        best_rows(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="at least one each, got 0 and 2"):
        best_rows(np.zeros((0, 3)), np.zeros((2, 3)))


def test_unit_rows_keep_zero_rows_finite():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], atol=1e-7)


# --- rotations ----------------------------------------------------------------------------------


def test_rotations_are_rotations():
    for rotations, count in ((turns(24), 24), (box_rotations(), 24), (all_rotations(500), 524)):
        assert rotations.shape == (count, 3, 3)
        product = np.einsum("kij,kil->kjl", rotations, rotations)
        np.testing.assert_allclose(product, np.tile(np.eye(3), (count, 1, 1)), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-12)
    np.testing.assert_allclose(turns(4)[1] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_array_equal(box_rotations()[0], np.eye(3))
    assert len(np.unique(box_rotations().reshape(24, 9), axis=0)) == 24


def test_all_rotations_leave_no_hole():
    from scipy.spatial.transform import Rotation

    wanted = Rotation.random(300, random_state=0).as_matrix()
    traces = np.einsum("aij,bij->ab", wanted, all_rotations())
    angle = np.degrees(np.arccos(np.clip((traces.max(axis=1) - 1) / 2, -1, 1)))
    assert angle.max() < 18


def test_turn_into_box_normalises_again():
    points = bent_block()
    turned = turn_into_box(points, turns(8)[1])
    extent = turned.max(axis=0) - turned.min(axis=0)
    assert extent.max() == pytest.approx(1)
    np.testing.assert_allclose(turned.max(axis=0), -turned.min(axis=0), atol=1e-12)
    np.testing.assert_allclose(turn_into_box(turned, turns(8)[7]), points, atol=1e-12)


def test_concentric_shapes_differ_by_their_turn_alone():
    points, rotation = bent_block(), all_rotations()[3000]
    moved = 0.7 * turn_into_box(points, rotation) + [0.3, -2, 1]
    # vertices count for nothing: a file may have many of them in one corner
    source = Shape(np.concatenate([np.full((50, 3), 0.4), points]), 50)
    sites, placed = concentric_sites(source, Shape(moved, 0))
    np.testing.assert_allclose(placed, turn_about_centre(sites[50:], rotation), atol=1e-12)
    np.testing.assert_allclose(sites[50:].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(sites, axis=0), np.diff(source.sites, axis=0), atol=1e-12)
    point = Shape(np.ones((2, 3)), 0)
    assert (concentric_sites(source, point)[1] == 0).all()


# --- matchers -----------------------------------------------------------------------------------


def test_nearest_matches_shuffled_features():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(50, 12))
    order = generator.permutation(50)
    points = generator.uniform(-0.5, 0.5, size=(50, 3))
    source = Shape(points, 0, site_features=features)
    # cosine does not see length
    target = Shape(points[order], 0, site_features=features[order] * 7)
    found = nearest.match(source, target, SimpleNamespace(), 0)
    np.testing.assert_array_equal(found.target_to_source, order)
    np.testing.assert_array_equal(found.source_to_target[order], np.arange(50))
    np.testing.assert_allclose(found.confidence, 1, atol=1e-5)


def test_spatial_equals_brute_force():
    generator = np.random.default_rng(0)
    source = Shape(generator.uniform(-0.5, 0.5, (70, 3)), 10)
    target = Shape(generator.uniform(-0.5, 0.5, (40, 3)), 10)
    found = spatial.match(source, target, BOX, 0)
    distances = np.linalg.norm(target.sites[:, None] - source.sites[None], axis=2)
    np.testing.assert_array_equal(found.target_to_source, distances.argmin(axis=1))
    np.testing.assert_array_equal(found.source_to_target, distances.argmin(axis=0))
    order = np.argsort(distances.min(axis=1))
    assert (np.diff(found.confidence[order]) <= 0).all()


@pytest.mark.parametrize("normalise", ["box", "samples"])
@pytest.mark.parametrize("turn", [1, 5])
def test_spatial_finds_the_yaw(turn, normalise):
    source, target = turned_pair(turns(12)[turn])
    searching = SimpleNamespace(align="yaw", yaws=12, normalise=normalise)
    found = spatial.match(source, target, searching, 0)
    assert found.info["yaw"] == 12 - turn
    np.testing.assert_array_equal(found.target_to_source, np.arange(800))
    plain = spatial.match(source, target, BOX, 0)
    assert (plain.target_to_source == np.arange(800)).mean() < 0.1


def test_random_depends_on_the_seed_alone():
    source, target = Shape(np.zeros((500, 3)), 0), Shape(np.zeros((300, 3)), 0)
    first, again, other = (random.match(source, target, None, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.target_to_source, again.target_to_source)
    assert (first.target_to_source != other.target_to_source).mean() > 0.9
    assert first.target_to_source.shape == (300,) and first.source_to_target.shape == (500,)
    assert len(np.unique(first.target_to_source)) > 150
    assert (first.confidence == 0).all()


def test_guided_finds_the_yaw_and_the_match():
    source, target = turned_pair(turns(48)[17])
    found = guided.match(source, target, GUIDED, 0)
    assert found.info["rotation"] == 48 - 17
    np.testing.assert_array_equal(found.target_to_source, np.arange(800))
    np.testing.assert_array_equal(found.source_to_target, np.arange(800))
    assert found.confidence.min() > 0.99


def test_guided_finds_any_rotation():
    rotation = all_rotations()[2000]
    source, target = turned_pair(rotation)
    options = SimpleNamespace(
        **vars(GUIDED) | {"align": "rotation", "rotations": 1024, "chamfer_weight": 1.0}
    )
    found = guided.match(source, target, options, 0)
    chosen = np.array(found.info["rotation_matrix"])
    angle = np.degrees(np.arccos(np.clip((np.trace(chosen @ rotation) - 1) / 2, -1, 1)))
    assert angle < 3
    moved = np.linalg.norm(source.sites[found.target_to_source] - source.sites, axis=1)
    assert np.mean(moved < 0.05) > 0.9


def test_guided_positions_decide_between_twins():
    # a shape with two ends that look alike: features alone cannot tell them apart
    points = bent_block()
    twins = waves(np.abs(points))
    source = Shape(points, 0, site_features=twins)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(points))
    target = Shape(points[order], 0, site_features=twins[order])
    found = guided.match(source, target, GUIDED, 0)
    assert (found.target_to_source == order).mean() > 0.99


def test_guided_criterion_equals_whole_matrices():
    generator = np.random.default_rng(0)
    features = [unit_rows(generator.normal(size=(n, 9))) for n in (70, 50)]
    sites = [generator.uniform(-0.5, 0.5, size=(n, 3)) for n in (70, 50)]
    found = match_aligned(*features, *sites, 1.7)
    squared = ((sites[1][:, None] - sites[0][None]) ** 2).sum(axis=2)
    scores = features[1].astype(float) @ features[0].T - 1.7 * squared
    np.testing.assert_array_equal(found.target_to_source, scores.argmax(axis=1))
    np.testing.assert_array_equal(found.source_to_target, scores.argmax(axis=0))
    np.testing.assert_allclose(found.score, scores.max(axis=1), atol=1e-5)


def test_soft_mutual_matches_by_hand():
    source = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    target = np.array([[1.0, 0.0]], np.float32)
    weights = soft_mutual_matches(source, target, 0.5)
    share = np.exp(2) / (np.exp(2) + 1)  # over the row; over columns of one element it is 1
    np.testing.assert_allclose(weights, [[share, 1 - share]], rtol=1e-6)


def test_heaviest_matches():
    weights = np.array([[0.1, 0.9, 0.0], [0.5, 0.2, 0.4]], np.float32)
    votes = heaviest(weights, 3)
    assert votes.target.tolist() == [0, 1, 1] and votes.source.tolist() == [1, 0, 2]
    np.testing.assert_allclose(votes.weight, [0.9, 0.5, 0.4], rtol=1e-6)
    assert len(heaviest(weights, 100).weight) == 6


def test_score_of_rotations_equals_loops():
    generator = np.random.default_rng(0)
    source, target = bent_block(30, 1), bent_block(20, 2)
    weights = generator.random((20, 30)).astype(np.float32)
    rotations = turns(6)
    scores = score_rotations(source, target, heaviest(weights), rotations, 0.2)
    for rotation, score in zip(rotations, scores, strict=True):
        turned, total = target @ rotation.T, 0.0
        for t in range(20):
            for s in range(30):
                squared = ((turned[t] - source[s]) ** 2).sum()
                total += weights[t, s] * np.exp(-squared / (2 * 0.2**2))
        assert score == pytest.approx(total / weights.sum(), rel=1e-5)


def test_every_matcher_is_found_by_its_name():
    for name in ("random", "spatial", "nearest", "guided", "hierarchical"):
        assert callable(import_module(f"semcorr.matching.{name}").match)


@pytest.mark.parametrize("matcher", [nearest, guided])
def test_matchers_name_what_is_missing(matcher):
    points = bent_block(20)
    whole = Shape(points, 0, site_features=waves(points), name="whole")
    with pytest.raises(ValueError, match="bare: this matcher needs site features"):
        matcher.match(whole, Shape(points, 0, name="bare"), GUIDED, 0)
    other = Shape(points, 0, site_features=waves(points, 5), name="other")
    with pytest.raises(ValueError, match="got 24 and 5"):
        matcher.match(whole, other, GUIDED, 0)


# --- records ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sites": np.zeros((0, 3))}, ValueError, r"expected \(n >= 1, 3\), got \(0, 3\)"),
        ({"sites": np.full((4, 3), np.nan)}, ItemError, "x: sites hold NaN"),
        ({"num_vertices": 9}, ValueError, "num_vertices: expected 0..4, got 9"),
        ({"site_features": np.zeros((3, 2))}, ValueError, r"expected \(4, c\), got \(3, 2\)"),
        ({"site_features": np.full((4, 2), np.nan)}, ItemError, "x: site features hold NaN"),
        ({"grids": np.zeros((1, 2, 4, 4, 4))}, ValueError, "come together"),
    ],
)
def test_shapes_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        Shape(**{"sites": np.zeros((4, 3)), "num_vertices": 2, "name": "x"} | arguments)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"grids": np.zeros((1, 2, 4, 4, 3))}, ValueError, r"expected \(k, c, r, r, r\)"),
        ({"voxels": ()}, ValueError, "voxels: expected 1 poses, got 0"),
        ({"voxel_resolution": 6}, ValueError, "expected a multiple of 4, got 6"),
        ({"grids": np.full((1, 2, 4, 4, 4), np.inf)}, ItemError, "x: grid features hold NaN"),
        ({"voxels": (np.zeros((0, 3), int),)}, ItemError, "x: no occupied voxel"),
        ({"turned_from_world": np.eye(4)}, ValueError, r"turned_from_world: expected \(1, 4, 4\)"),
    ],
)
def test_grids_are_checked(change, error, message):
    arguments = {
        "grids": np.zeros((1, 2, 4, 4, 4)),
        "voxels": (np.zeros((1, 3), int),),
        "voxel_resolution": 8,
    }
    with pytest.raises(error, match=message):
        Shape(np.zeros((4, 3)), 2, name="x", **arguments | change)


def test_samples_are_the_sites_after_the_vertices():
    sites = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(Shape(sites, 1).samples, sites[1:])
    np.testing.assert_array_equal(Shape(sites, 4).samples, sites)


def test_site_match_is_checked():
    with pytest.raises(ValueError, match=r"target_to_source: expected -1..1, got 0..2"):
        SiteMatch(np.array([0, 2]), np.array([0, 1]), np.zeros(2))
    with pytest.raises(ValueError, match=r"confidence: expected \(2,\), got \(3,\)"):
        SiteMatch(np.array([0, 1]), np.array([0, 1]), np.zeros(3))


def test_round_trip_confidence_by_hand():
    sites = np.array([[0.0, 0, 0], [0.12, 0, 0], [0.3, 0, 0], [0.4, 0, 0]])
    found = round_trip_confidence(
        np.array([0.5, 1.0, 0.9, -0.2]),
        sites,
        np.array([0, 0, -1, 1]),  # 0 -> 0 -> 0; 1 -> 0 -> 0, one width away; 2 unmatched
        np.array([0, 3]),  # 3 -> 1 -> 3, but with a negative cosine
    )
    np.testing.assert_allclose(found, [0.5, np.exp(-0.5), 0, 0], rtol=1e-6)
