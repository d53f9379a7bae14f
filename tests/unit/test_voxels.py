import numpy as np
import pytest
import trimesh
from plain_voxelise import voxelise_plain

from semcorr.geometry import voxels
from semcorr.geometry.voxels import occupancy, voxelise


def same(vertices, faces, resolution=64):
    cells = voxelise(vertices, faces, resolution)
    assert cells.dtype == np.uint8
    assert np.array_equal(cells, voxelise_plain(vertices, faces, resolution))
    return cells


def soup(random, count, scale):
    centres = random.uniform(-0.55, 0.55, (count, 1, 3))
    corners = centres + random.normal(scale=scale, size=(count, 3, 3))
    return corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)


@pytest.mark.parametrize("scale", [0.002, 0.02, 0.3])
@pytest.mark.parametrize("resolution", [8, 20, 64])
def test_random_triangles(scale, resolution):
    vertices, faces = soup(np.random.default_rng(0), 12, scale)
    for face in faces:  # one by one, so that no triangle hides what another one misses
        same(vertices, face[None], resolution)
    same(vertices, faces, resolution)


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_triangles_with_vertices_on_cell_borders(steps):
    random = np.random.default_rng(steps)
    corners = random.integers(-32 * steps, 32 * steps + 1, (60, 3, 3))
    corners[::3, :, 0] = corners[::3, :1, 0]  # a third lies in a plane across an axis
    near = corners[:, :1] + random.integers(-3, 4, corners.shape)
    for triangle in np.concatenate([corners[:6], near]):
        same(np.clip(triangle / (64 * steps), -0.5, 0.5), np.array([[0, 1, 2]]))


def test_faces_on_borders_mark_only_the_upper_cell():
    box = trimesh.creation.box(extents=[0.5, 0.5, 0.5])
    cells = same(box.vertices, box.faces)
    assert cells.min() == 16 and cells.max() == 48


def test_degenerate_triangles_still_mark_their_cells():
    vertices = np.array(
        [[-0.4, -0.3, -0.2], [0.4, 0.31, 0.15], [0.0, 0.005, -0.025], [0.1, 0.1, 0.1]]
    )
    for face in ([0, 1, 0], [0, 0, 0], [0, 2, 1], [3, 3, 1]):
        assert len(same(vertices, np.array([face])))


def test_clipping_and_corner_values():
    vertices = np.array([[9.0, 9, 9], [9, 9, 8], [9, 8, 9], [-9, -9, -9]])
    assert same(vertices, np.array([[0, 1, 2]])).tolist() == [[63, 63, 63]]
    assert same(vertices, np.array([[3, 3, 3]])).tolist() == [[0, 0, 0]]
    tiny = np.array([[30.1, 30.1, 30.1], [30.9, 30.1, 30.1], [30.1, 30.9, 30.9]]) / 64 - 0.5
    assert same(tiny, np.array([[0, 1, 2]])).tolist() == [[30, 30, 30]]


def test_known_count_of_a_sphere():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.4)
    cells = voxelise(ball.vertices, ball.faces)
    assert len(cells) == 12_344
    assert (cells.min(), cells.max()) == (6, 57)


def test_small_blocks_change_nothing(monkeypatch):
    vertices, faces = soup(np.random.default_rng(5), 40, 0.2)
    whole = voxelise(vertices, faces)
    monkeypatch.setattr(voxels, "_FACES", 7)
    monkeypatch.setattr(voxels, "_ROWS", 5)
    assert np.array_equal(voxelise(vertices, faces), whole)


def test_order_of_faces_and_rotation_of_corners_change_nothing():
    random = np.random.default_rng(6)
    vertices, faces = soup(random, 50, 0.1)
    other = np.roll(random.permutation(faces), 1, axis=1)
    assert np.array_equal(voxelise(vertices, faces), voxelise(vertices, other))


def test_nothing_and_wrong_requests():
    assert voxelise(np.zeros((0, 3)), np.zeros((0, 3), int)).shape == (0, 3)
    with pytest.raises(ValueError, match="resolution"):
        voxelise(np.zeros((3, 3)), np.array([[0, 1, 2]]), 257)
    with pytest.raises(ValueError, match="not finite"):
        voxelise(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))


def test_occupancy():
    random = np.random.default_rng(1)
    cells = np.unique(random.integers(0, 64, (500, 3)), axis=0).astype(np.uint8)
    grid = occupancy(cells)
    assert grid.dtype == np.float32 and grid.sum() == len(cells)
    assert np.array_equal(np.argwhere(grid), cells)
