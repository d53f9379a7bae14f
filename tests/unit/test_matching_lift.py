"""Lift of cell maps to voxels and sites, against loops and by hand."""

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.matching.cells import CellMatches, centres, decode, occupied_cells
from semcorr.matching.lift import lift_sites, lift_to_voxels, voxel_of_sites


def some_voxels(generator, resolution, count):
    return decode(generator.choice(resolution**3, count, replace=False), resolution)


def plain_lift(target_voxels, source_voxels, mapping, factor):
    """Return (query, smallest squared distance, number of voxels at it) per target voxel."""
    found = []
    for voxel in target_voxels:
        partner = np.array(mapping[tuple(voxel // factor)])
        query = factor * partner + voxel % factor
        squared = ((source_voxels - query) ** 2).sum(axis=1)
        found.append((tuple(query), squared.min(), (squared == squared.min()).sum()))
    return found


@pytest.mark.parametrize(("resolution", "factor"), [(16, 4), (12, 3), (8, 1)])
def test_equals_plain_loops(resolution, factor):
    generator = np.random.default_rng(factor)
    source = generator.permutation(some_voxels(generator, resolution, 150))
    target = generator.permutation(some_voxels(generator, resolution, 120))
    cells = occupied_cells(target, resolution, factor)
    partners = some_voxels(generator, resolution // factor, 12)
    partners = partners[generator.integers(12, size=len(cells))]
    lift = lift_to_voxels(target, source, cells, partners, resolution, factor)
    mapping = dict(zip(map(tuple, cells), partners, strict=True))
    plain = plain_lift(target, source, mapping, factor)
    for row, (query, squared, near) in enumerate(plain):
        assert tuple(lift.query_voxel[row]) == query
        assert lift.squared_distance[row] == squared
        assert lift.num_equally_near[row] == near
        chosen = source[lift.source_row[row]]
        assert ((chosen - lift.query_voxel[row]) ** 2).sum() == squared
    assert (lift.squared_distance == 0).any() and (lift.squared_distance > 0).any()


def test_by_hand():
    source = np.array([[5, 1, 3], [0, 0, 0]])
    lift = lift_to_voxels(
        np.array([[1, 1, 3], [2, 1, 3], [0, 0, 0]]),
        source,
        np.array([[0, 0, 0]]),
        np.array([[1, 0, 0]]),
        resolution=8,
        factor=4,
    )
    assert lift.query_voxel.tolist() == [[5, 1, 3], [6, 1, 3], [4, 0, 0]]
    assert source[lift.source_row].tolist() == [[5, 1, 3], [5, 1, 3], [5, 1, 3]]
    assert lift.squared_distance.tolist() == [0, 1, 11]


def test_a_voxel_outside_the_map_uses_the_nearest_cell():
    lift = lift_to_voxels(
        np.array([[7, 7, 7]]),
        np.array([[3, 3, 3]]),
        np.array([[0, 0, 0], [1, 1, 0]]),
        np.array([[1, 1, 1], [0, 0, 0]]),
        resolution=8,
        factor=4,
    )
    assert lift.cell_row.tolist() == [1]
    assert lift.query_voxel.tolist() == [[3, 3, 3]]


def test_sites_take_their_voxel_or_the_nearest_one():
    voxels = np.array([[0, 0, 0], [3, 3, 3]])
    sites = np.array([[-0.4, -0.4, -0.4], [0.4, 0.4, 0.4], [0.1, 0.2, 0.1]])
    assert voxel_of_sites(sites, voxels, 4).tolist() == [0, 1, 1]


def test_sites_keep_their_place_inside_the_voxel():
    voxels = np.array([[1, 1, 1], [2, 2, 2]])
    matches = CellMatches(4, voxels, voxels[::-1].copy(), np.array([0.9, 0.8]), np.zeros(2))
    place = np.array([[0.1, -0.1, 0.05], [-0.1, 0.1, 0.1]])
    target_sites = centres(voxels, 4)[[0, 0, 1]] + place[[0, 1, 0]]
    source_sites = np.concatenate([centres(voxels, 4)[1] + place, centres(voxels, 4)[:1] + place])
    lift = lift_sites(matches, (target_sites, voxels), (source_sites, voxels), 4)
    assert lift.match.tolist() == [0, 1, 2]
    np.testing.assert_allclose(lift.cosine, [0.9, 0.9, 0.8])
    rejected = CellMatches(4, voxels, voxels, np.ones(2), np.zeros(2), np.array([True, False]))
    lift = lift_sites(rejected, (target_sites, voxels), (source_sites, voxels), 4)
    assert lift.match.tolist() == [2, 3, -1]


def test_wrong_requests():
    cell = np.array([[0, 0, 0]])
    with pytest.raises(ValueError, match="factor: expected a divisor of 8, got 3"):
        lift_to_voxels(cell, cell, cell, cell, 8, 3)
    with pytest.raises(ValueError, match="source_cells: expected indices 0..1"):
        lift_to_voxels(cell, cell, cell, cell + 2, 8, 4)
    with pytest.raises(ValueError, match=r"source_cells: expected \(1, 3\), got \(2, 3\)"):
        lift_to_voxels(cell, cell, cell, np.zeros((2, 3), int), 8, 4)
    with pytest.raises(ItemError, match="source_voxels: no occupied cell"):
        lift_to_voxels(cell, np.zeros((0, 3), int), cell, cell, 8, 4)
