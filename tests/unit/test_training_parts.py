"""Training data: packed shapes, deformed copies, augmented pictures, points that two views share."""

import numpy as np
import pytest
import torch

from semcorr.cameras import make_cameras
from semcorr.datasets.procedural import generate
from semcorr.geometry.voxels import voxelise
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.raycast import render
from semcorr.stages.running.row_blocks import ROWS, RowBlocks
from semcorr.training.deformation import posed, proportions
from semcorr.training.pictures import Stretch, recoloured
from semcorr.training.shapes import ShapeFamily, packed, unpacked
from semcorr.training.view_pairs import ViewArrays, on_surface, shared_points, view_arrays


def random(*seed):
    return np.random.default_rng(seed)


# -- shapes ----------------------------------------------------------------------------------


def test_packed_voxels_come_back():
    mesh = generate("chair", 8_000_000, 0).mesh
    bits = packed(mesh.vertices, mesh.faces, 16)
    grid = unpacked(bits[None], 16)
    assert bits.shape == (16**3 // 8,) and grid.shape == (1, 1, 16, 16, 16)
    assert torch.equal(
        torch.argwhere(grid[0, 0]), torch.from_numpy(voxelise(mesh.vertices, mesh.faces, 16)).long()
    )


def test_training_shapes_depend_on_family_and_number_only():
    family = ShapeFamily(("chair",), 7_000_000, 0.2, 16)
    whole = family.occupancy(range(4))["bits"]
    assert np.array_equal(whole[2:], family.occupancy(range(2, 4))["bits"])
    assert len(np.unique(whole, axis=0)) == 4
    other = ShapeFamily(("chair",), 8_000_000, 0.2, 16).occupancy(range(4))["bits"]
    assert not (whole[:, None] == other[None]).all(axis=2).any()


def test_training_shapes_fill_the_unit_box_in_many_poses():
    family = ShapeFamily(("chair",), 7_000_000, 0.2, 16)
    for number in range(4):
        vertices, _ = family.positions(number)
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        assert (high - low).max() == pytest.approx(1) and np.allclose(low + high, 0)
    original = generate("chair", 7_000_000, 0).mesh.vertices
    assert not np.allclose(family.positions(0)[0], original, atol=0.05)


# -- blocks ----------------------------------------------------------------------------------


class Squares:
    """Rows with a record of what was computed."""

    def __init__(self, fail_at=None):
        self.seen, self.fail_at = [], fail_at

    def __call__(self, numbers):
        if self.fail_at in numbers:
            raise OSError("disk full")
        self.seen.append(numbers)
        return {"square": np.array([n * n for n in numbers])}


def test_blocks_survive_a_failure_and_equal_a_plain_loop(tmp_path):
    count = 3 * ROWS + 5
    with pytest.raises(OSError):
        RowBlocks(tmp_path)("a", count, Squares(fail_at=2 * ROWS + 1))
    again = Squares()
    rows = RowBlocks(tmp_path)("a", count, again)["square"]
    assert again.seen == [range(2 * ROWS, 3 * ROWS), range(3 * ROWS, count)]
    assert rows.tolist() == [n * n for n in range(count)]
    third = Squares()
    RowBlocks(tmp_path)("a", count, third)
    assert third.seen == []
    assert len(RowBlocks(tmp_path)("b", 3, Squares())["square"]) == 3


def test_worker_processes_give_the_same_rows(tmp_path):
    family = ShapeFamily(("chair",), 7_000_000, 0.2, 16)
    count = ROWS + 2
    plain = RowBlocks(tmp_path / "one")("shapes", count, family.occupancy)
    spread = RowBlocks(tmp_path / "two", workers=2)("shapes", count, family.occupancy, True)
    assert np.array_equal(plain["bits"], spread["bits"])


def test_a_damaged_block_is_computed_again(tmp_path):
    RowBlocks(tmp_path)("a", 4, Squares())
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:40])
    again = Squares()
    assert RowBlocks(tmp_path)("a", 4, again)["square"].tolist() == [0, 1, 4, 9]
    assert again.seen == [range(4)]


# -- copies ----------------------------------------------------------------------------------


def test_proportions_keep_order_along_each_axis_and_mirror_symmetry():
    points = random(0).uniform(-0.5, 0.5, (200, 3))
    points = np.concatenate([points, points * [-1, 1, 1]])
    out = proportions(points, 0.6, random(1))
    assert np.allclose(out[:200] * [-1, 1, 1], out[200:])
    order = np.argsort(points[:, 2])
    assert (np.diff(out[order, 2]) >= 0).all()
    assert not np.allclose(out, points, atol=0.05)


def test_no_strength_changes_the_pose_alone():
    points = random(0).uniform(-0.5, 0.5, (200, 3))
    still = proportions(points, 0.0, random(1))
    assert np.allclose(still - still[0], points - points[0])
    out = posed(points, 0.0, random(1))
    scale = np.linalg.norm(out[1] - out[0]) / np.linalg.norm(points[1] - points[0])
    before, after = (np.linalg.norm(p[:50, None] - p[None, :50], axis=2) for p in (points, out))
    assert np.allclose(after, before * scale)
    assert np.ptp(out, axis=0).max() == pytest.approx(1)


def test_flat_shapes_have_copies():
    points = random(0).uniform(-0.5, 0.5, (50, 3)) * [1, 1, 0]
    assert np.isfinite(posed(points, 0.5, random(1))).all()


# -- pictures --------------------------------------------------------------------------------


def test_stretched_pictures_show_pixels_where_they_moved():
    size = 64
    stretch = Stretch.draw(size, 0.4, random(3))
    y, x = np.mgrid[0:size, 0:size] + 0.5
    picture = torch.from_numpy(np.stack([x, y, x + y]).astype(np.float32))
    new = stretch.apply(picture).numpy()
    pixels = random(4).uniform(8, 56, (100, 2))
    moved, inside = stretch.moved(pixels)
    inside &= ((moved > 2) & (moved < size - 2)).all(axis=1)
    assert inside.sum() > 50
    column, row = np.floor(moved[inside]).astype(int).T
    # a cell of the new picture spans less than 2.5 pixels of the old one
    assert np.abs(new[0, row, column] - pixels[inside, 0]).max() < 2.5
    assert np.abs(new[1, row, column] - pixels[inside, 1]).max() < 2.5


def test_no_stretch_is_the_identity():
    picture = torch.rand(3, 16, 16)
    stretch = Stretch.draw(16, 0.0, random(0))
    assert torch.allclose(stretch.apply(picture), picture, atol=1e-5)
    pixels = random(1).uniform(1, 15, (20, 2))
    moved, inside = stretch.moved(pixels)
    assert np.allclose(moved, pixels) and inside.all()


def test_recoloured_pictures_differ_and_stay_in_range():
    rgba = np.full((8, 8, 4), 128, np.uint8)
    rgba[:4, :, 3] = 0
    material = np.repeat([[-1], [-1], [-1], [-1], [0], [0], [1], [1]], 8, axis=1)
    pictures = torch.stack([recoloured(rgba, material, random(n)) for n in range(20)])
    assert pictures.shape == (20, 3, 8, 8) and pictures.min() >= 0 and pictures.max() <= 1
    assert pictures[:, :, 5].std(dim=0).min() > 0.05
    assert (pictures[:, :, 0] == 1).all(dim=(1, 2)).any(), "white background is used"
    assert not (pictures[:, :, 0] == 1).all(), "and others"


# -- points ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def album():
    mesh = generate("chair", 8_000_000, 3).mesh
    cameras = make_cameras(rig="fibonacci", views=4, radius=2.0, fov_deg=40.0, resolution=48)
    views = render(mesh, cameras, RenderOptions(samples=1))
    return mesh, cameras, views, view_arrays(views, mesh, random(0))


def test_shared_points_are_the_same_surface_point(album):
    mesh, cameras, views, arrays = album
    found = 0
    for first, second in [(0, 1), (1, 2), (2, 3), (3, 0)]:
        points = shared_points(
            arrays, (0, first), (0, second), (mesh.vertices, mesh.faces), cameras
        )
        found += len(points.faces)
        world = on_surface(mesh.vertices, mesh.faces, points.faces, points.barycentric)
        for view, pixels in ((first, points.first), (second, points.second)):
            column, row = np.floor(pixels).astype(int).T
            seen = views.barycentric[view][row, column].astype(float)
            seen = on_surface(mesh.vertices, mesh.faces, views.face_id[view][row, column], seen)
            # within a pixel's footprint on a slanted surface
            assert np.median(np.linalg.norm(seen - world, axis=1)) < 0.02
    assert found > 100


def test_hidden_points_are_not_shared(album):
    mesh, cameras, views, arrays = album
    far = mesh.vertices + [0, 0, 5.0]
    assert len(shared_points(arrays, (0, 0), (0, 1), (far, mesh.faces), cameras).faces) == 0
    kept = int((arrays.faces[0, 0] >= 0).sum())
    shared = shared_points(arrays, (0, 0), (0, 1), (mesh.vertices, mesh.faces), cameras)
    assert 0 < len(shared.faces) < kept
    own = shared_points(arrays, (0, 0), (0, 0), (mesh.vertices, mesh.faces), cameras)
    assert len(own.faces) == kept and np.allclose(own.first, own.second, atol=0.1)


def test_view_arrays_join(album):
    arrays = album[3]
    both = ViewArrays.of([arrays, arrays])
    assert len(both) == 2 and np.array_equal(both.rgba[1], arrays.rgba[0])
