"""Coarse-to-fine matching against plain loops, by hand, and through the whole matcher."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hierarchical import plain_match

from semcorr.errors import ItemError, UserError
from semcorr.matching import hierarchical
from semcorr.matching.cells import (
    cell_of_points,
    centres,
    decode,
    encode,
    occupied_cells,
    rows_of,
)
from semcorr.matching.hierarchical import match, match_pooled, pool_grid, pool_levels
from semcorr.matching.shape import Shape


def some_cells(generator, resolution, count):
    return decode(generator.choice(resolution**3, count, replace=False), resolution)


def example(seed, resolution=8, channels=6, sources=90, targets=60):
    generator = np.random.default_rng(seed)
    shape = (channels, resolution, resolution, resolution)
    grids = [generator.normal(size=shape).astype(np.float32) for _ in range(2)]
    cells = [some_cells(generator, resolution, n) for n in (sources, targets)]
    return *grids, *cells


def match_cells(source, target, source_cells, target_cells, levels=3, radius=1, mutual=False):
    """Pool and match, as `match` does; the way from target to source."""
    pools = [pool_levels(grid, levels) for grid in (source, target)]
    return match_pooled(*pools, source_cells, target_cells, radius, mutual)[0]


@pytest.mark.parametrize("radius", [0, 1, 2**0.5, 2.3])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_equals_plain_loops(levels, radius):
    source, target, source_cells, target_cells = example(levels)
    found = match_cells(source, target, source_cells, target_cells, levels, radius)
    plain = plain_match(
        pool_levels(source, levels), pool_levels(target, levels), source_cells, target_cells, radius
    )
    assert [record.resolution for record in found] == [8 >> k for k in reversed(range(levels))]
    for record, expected in zip(found, plain, strict=True):
        assert [tuple(c) for c in record.target_cells.tolist()] == sorted(expected)
        for row, cell in enumerate(record.target_cells.tolist()):
            partner, cosine, gap = expected[tuple(cell)]
            assert tuple(record.source_cells[row].tolist()) == partner
            assert record.cosine[row] == pytest.approx(cosine, abs=2e-6)
            assert record.runner_up_gap[row] == pytest.approx(gap, abs=4e-6)


def test_wider_neighbourhood_differs():
    inputs = example(3)
    narrow, wide = (match_cells(*inputs, 3, radius)[-1].source_cells for radius in (0, 1))
    assert (narrow != wide).any()


def test_small_blocks_give_the_same(monkeypatch):
    inputs = example(5)
    whole = match_cells(*inputs, 3, 1)
    monkeypatch.setattr(hierarchical, "BLOCK_ENTRIES", 200)
    for a, b in zip(whole, match_cells(*inputs, 3, 1), strict=True):
        np.testing.assert_array_equal(a.source_cells, b.source_cells)
        np.testing.assert_allclose(a.cosine, b.cosine, atol=1e-6)


def test_by_hand_the_coarse_level_restricts():
    # two source parents; the best fine partner of the target lies under the wrong parent
    source = np.zeros((2, 4, 4, 4), np.float32)
    target = np.zeros((2, 4, 4, 4), np.float32)
    near, far = (0, 0, 0), (2, 2, 2)
    source[:, 0, 0, 0] = (1, 1)
    source[:, 0, 0, 1] = (9, 0)
    source[:, 2, 2, 2] = (0, 1)
    target[:, 0, 0, 0] = (0, 1)
    target[:, 0, 0, 1] = (9, 0)
    occupied = np.array([near, far])
    found = match_cells(source, target, occupied, np.array([near]), levels=2, radius=0)
    # pooled: target (9, 1), source parents (10, 1) and (0, 1)
    assert found[0].source_cells.tolist() == [[0, 0, 0]]
    assert found[1].source_cells.tolist() == [[0, 0, 0]]
    assert found[1].cosine[0] == pytest.approx(2**-0.5)
    assert np.isinf(found[1].runner_up_gap[0])  # one candidate only
    flat = match_cells(source, target, occupied, np.array([near]), levels=1)
    assert flat[0].source_cells.tolist() == [[2, 2, 2]]
    assert flat[0].runner_up_gap[0] == pytest.approx(1 - 2**-0.5)


def test_ties_take_the_lexicographically_first_source_cell():
    grid = np.ones((3, 4, 4, 4), np.float32)
    cells = np.array([[3, 0, 0], [1, 2, 3], [1, 2, 0]])
    found = match_cells(grid, grid, cells, cells, levels=1)[0]
    assert (found.source_cells == [1, 2, 0]).all()
    np.testing.assert_array_equal(found.target_cells, [[1, 2, 0], [1, 2, 3], [3, 0, 0]])


def test_mutual_is_the_round_trip():
    source, target, source_cells, target_cells = example(7)
    there = match_cells(source, target, source_cells, target_cells, 2, 1, mutual=True)[-1]
    back = match_cells(target, source, target_cells, source_cells, 2, 1)[-1]
    partner = {
        tuple(t): tuple(s) for t, s in zip(back.target_cells, back.source_cells, strict=True)
    }
    expected = [
        partner[tuple(s)] == tuple(t)
        for t, s in zip(there.target_cells, there.source_cells, strict=True)
    ]
    assert there.mutual.tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert match_cells(source, target, source_cells, target_cells, 2, 1)[-1].mutual is None


@pytest.mark.parametrize("mutual", [False, True])
def test_both_directions_are_those_of_a_search_each(mutual, monkeypatch):
    source, target, source_cells, target_cells = example(9)
    pools = pool_levels(source, 3), pool_levels(target, 3)
    searches = []
    search = hierarchical._search
    monkeypatch.setattr(hierarchical, "_search", lambda *a: searches.append(a) or search(*a))
    there, back = match_pooled(*pools, source_cells, target_cells, 1, mutual)
    assert len(searches) == 2
    plain = [
        plain_match(*pools, source_cells, target_cells, 1),
        plain_match(*pools[::-1], target_cells, source_cells, 1),
    ]
    for records, levels in zip((there, back), plain, strict=True):
        for record, expected in zip(records, levels, strict=True):
            cells = [tuple(c) for c in record.target_cells.tolist()]
            assert [tuple(c) for c in record.source_cells.tolist()] == [
                expected[c][0] for c in cells
            ]
            assert (record.mutual is not None) == mutual
    if mutual:
        partners = plain[0][-1]
        agree = [
            partners[tuple(t)][0] == tuple(s)
            for s, t in zip(
                back[-1].target_cells.tolist(), back[-1].source_cells.tolist(), strict=True
            )
        ]
        assert back[-1].mutual.tolist() == agree and 0 < sum(agree) < len(agree)


def test_the_matcher_searches_once_each_way(monkeypatch):
    searches = []
    search = hierarchical._search
    monkeypatch.setattr(hierarchical, "_search", lambda *a: searches.append(a) or search(*a))
    for mutual in (False, True):
        match(blob(0), blob(1), SimpleNamespace(**vars(OPTIONS) | {"mutual": mutual}), 0)
    assert len(searches) == 4


def test_pooling_averages_empty_cells_too():
    grid = np.arange(2 * 64, dtype=np.float32).reshape(2, 4, 4, 4)
    pooled = pool_grid(grid, 2)
    assert pooled.shape == (2, 2, 2, 2)
    assert pooled[1, 0, 1, 0] == grid[1, 0:2, 2:4, 0:2].mean()
    assert pool_grid(grid, 1) is grid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": 0}, "levels: expected"),
        ({"levels": 5}, "dividing 8, got 5"),
        ({"radius": -1}, "radius: expected"),
        ({"source_cells": np.array([[0, 0, 8]])}, "source_cells: expected indices 0..7"),
        ({"target_cells": np.zeros((3, 2), int)}, r"target_cells: expected \(n, 3\), got \(3, 2\)"),
        ({"target_cells": np.zeros((3, 3))}, "expected integers, got float64"),
        ({"source": np.zeros((6, 8, 8), np.float32)}, r"grid: expected \(c, r, r, r\)"),
    ],
)
def test_wrong_requests(change, message):
    names = ("source", "target", "source_cells", "target_cells")
    arguments = dict(zip(names, example(0), strict=True)) | change
    with pytest.raises(ValueError, match=message):
        match_cells(**arguments)


def test_bad_items():
    source, target, source_cells, target_cells = example(0)
    with pytest.raises(ItemError, match="target_cells: no occupied cell"):
        match_cells(source, target, source_cells, np.zeros((0, 3), int))


def test_cells_round_trip_and_are_found():
    generator = np.random.default_rng(0)
    cells = some_cells(generator, 7, 40)
    np.testing.assert_array_equal(decode(encode(cells, 7), 7), cells)
    np.testing.assert_array_equal(cell_of_points(centres(cells, 7), 7), cells)
    queries = np.concatenate([cells[::-3], [[6, 6, 6]]])
    rows, found = rows_of(queries, cells, 7)
    np.testing.assert_array_equal(cells[rows[found]], queries[found])
    listed = {tuple(c) for c in cells.tolist()}
    assert found.tolist() == [tuple(q) in listed for q in queries.tolist()]
    coarse = occupied_cells(cells * 2, 14, 7)
    assert [tuple(c) for c in coarse.tolist()] == sorted(
        {tuple(c) for c in (cells * 2 // 7).tolist()}
    )


def test_points_outside_take_the_border_cell():
    assert cell_of_points(np.array([[-0.6, 0.5, 0.0]]), 4).tolist() == [[0, 3, 2]]


OPTIONS = SimpleNamespace(levels=2, radius=1.0, align="none", chamfer_weight=1.0, mutual=False)


def blob(seed=0, resolution=32, grid=8, channels=16):
    """A closed surface of points, its voxels, and a grid of random features."""
    generator = np.random.default_rng(seed)
    sites = generator.normal(size=(6000, 3))
    sites *= np.array([0.5, 0.35, 0.25]) / np.linalg.norm(sites, axis=1, keepdims=True)
    voxels = np.unique(cell_of_points(sites, resolution), axis=0)
    grids = generator.normal(size=(1, channels, grid, grid, grid)).astype(np.float32)
    return Shape(sites, 100, None, grids, (voxels,), resolution, name=f"blob{seed}")


def test_matching_a_shape_with_itself_gives_nearly_the_identity():
    shape = blob()
    found = match(shape, shape, OPTIONS, 0)
    moved = np.linalg.norm(shape.sites[found.target_to_source] - shape.sites, axis=1)
    assert moved.max() < 1e-12
    assert found.confidence.min() > 0.99
    assert found.target_to_source.dtype == found.source_to_target.dtype == np.int32
    assert found.info["yaw"] == 0


def test_more_levels_than_the_grid_has_are_refused_with_the_remedy():
    shape = blob()
    for levels, fits in ((4, True), (5, False)):
        options = SimpleNamespace(**vars(OPTIONS) | {"levels": levels})
        if fits:
            assert match(shape, shape, options, 0).confidence.min() > 0.99
            continue
        with pytest.raises(
            UserError, match="^levels: 5 .* 8 cells a side; set levels to at most 4"
        ):
            match(shape, shape, options, 0)


def test_matcher_follows_the_features_not_the_positions():
    source = blob()
    # mirrored in x: cell i of the target carries the feature of cell 7 - i of the source
    sites = source.sites * [-1, 1, 1]
    voxels = np.unique(cell_of_points(sites, 32), axis=0)
    target = Shape(
        sites, 100, None, source.grids[:, :, ::-1].copy(), (voxels,), 32, name="mirrored"
    )
    found = match(source, target, OPTIONS, 0)
    # inside a cell the offset is kept, not mirrored: at most two thirds of a cell of 1/8
    moved = np.linalg.norm(source.sites[found.target_to_source] - source.sites, axis=1)
    assert np.median(moved) < 0.1
    assert (np.abs(moved - 0) < 0.25).all()
    assert np.median(np.linalg.norm(target.sites - source.sites, axis=1)) > 0.3


def test_matcher_with_mutual_leaves_out_what_is_not_mutual():
    source, target = blob(0), blob(1)
    plain = match(source, target, OPTIONS, 0)
    mutual = match(source, target, SimpleNamespace(**vars(OPTIONS) | {"mutual": True}), 0)
    left_out = mutual.target_to_source < 0
    assert 0 < left_out.sum() < len(left_out)
    kept = ~left_out
    np.testing.assert_array_equal(mutual.target_to_source[kept], plain.target_to_source[kept])
    assert (mutual.confidence[left_out] == 0).all()


def test_matcher_is_deterministic():
    a, b = (match(blob(0), blob(1), OPTIONS, 0) for _ in range(2))
    assert a.target_to_source.tobytes() == b.target_to_source.tobytes()
    assert a.confidence.tobytes() == b.confidence.tobytes()


def test_matcher_names_what_is_missing():
    bare = Shape(np.zeros((3, 3)), 3, name="bare")
    with pytest.raises(ValueError, match="bare: this matcher needs grids"):
        match(blob(), bare, OPTIONS, 0)
    with pytest.raises(ValueError, match="grids: expected one grid shape"):
        match(blob(), blob(channels=4), OPTIONS, 0)
    with pytest.raises(ValueError, match="voxel_resolution: expected one resolution, got 32"):
        match(blob(), blob(resolution=64), OPTIONS, 0)


def test_the_plain_function_of_the_benchmark_has_parity():
    case = Path(__file__).parents[1] / "parity/fixtures/nsr/hierarchical_match"
    with np.load(case / "inputs.npz") as inputs, np.load(case / "expected.npz") as expected:
        pools, cells = [], []
        for side in ("source", "target"):
            tokens = inputs[f"{side}_features"].astype(np.float32)
            pools.append(pool_levels(tokens.T.reshape(-1, 16, 16, 16), 3))
            cells.append(occupied_cells(inputs[f"{side}_voxels64"], 64, 4))
        levels = plain_match(*pools, *cells, 1.0)
        for resolution, found in zip((4, 8, 16), levels, strict=True):
            wanted = expected[f"source_cells_{resolution}"].tolist()
            targets = expected[f"target_cells_{resolution}"].tolist()
            assert [list(found[tuple(cell)][0]) for cell in targets] == wanted
