import json
import os
from pathlib import Path

import numpy as np
import pytest

from semcorr.cameras import (
    Cameras,
    explicit,
    fibonacci,
    hammersley,
    hammersley_yaw_pitch,
    make_cameras,
    opencv_from_opengl,
    opengl_from_opencv,
    orbit,
    pixel_rays,
    positions_on_sphere,
    project,
    radical_inverse,
)
from semcorr.errors import UserError

FIXTURES = Path(os.environ.get("SEMCORR_FIXTURES", Path(__file__).parents[1] / "parity/fixtures"))
CASE = FIXTURES / "nsr" / "cameras_and_normalisation"


@pytest.fixture(scope="module")
def published():
    tolerance = {
        key: value["max_abs"]
        for key, value in json.loads((CASE / "case.json").read_text())["tolerance"].items()
        if isinstance(value, dict)
    }
    return dict(np.load(CASE / "inputs.npz")), dict(np.load(CASE / "expected.npz")), tolerance


def test_directions_equal_the_published_ones(published):
    inputs, expected, tolerance = published
    for views in inputs["num_views"]:
        key = f"yaw_pitch_n{views}"
        ours = hammersley_yaw_pitch(int(views), tuple(inputs[f"offset_n{views}"]))
        assert np.abs(ours - expected[key]).max() <= tolerance[key]


def test_positions_matrices_and_lens_equal_the_published_ones(published):
    inputs, expected, tolerance = published
    fov, radius = float(inputs["fov_rad"]), float(inputs["radius"])
    ours = positions_on_sphere(hammersley_yaw_pitch(5), radius)
    key = "camera_positions_n5"
    assert np.abs(ours - expected[key]).max() <= tolerance[key]
    cameras = make_cameras(rig="hammersley", views=5, radius=radius, fov_deg=np.rad2deg(fov))
    assert np.abs(cameras.positions - expected[key]).max() <= tolerance[key]
    key = "camera_to_world_n5"
    assert np.abs(cameras.world_from_cam_opengl - expected[key]).max() <= tolerance[key]
    lens = cameras.intrinsics[0, 0, 0] * float(inputs["sensor_mm"]) / cameras.width
    assert abs(lens - expected["lens_mm"]) <= tolerance["lens_mm"]


def test_radical_inverse_mirrors_the_binary_digits():
    assert [radical_inverse(i) for i in range(6)] == [0.0, 0.5, 0.25, 0.75, 0.125, 0.625]


def all_rigs():
    return {
        "hammersley": hammersley(7),
        "orbit": orbit(9, elevations=(-20.0, 15.0, 60.0)),
        "fibonacci": fibonacci(11),
        "explicit": explicit([(0, 0, 2), (0, 0, -3), (1.0, -1.5, 0.5)]),
    }


@pytest.mark.parametrize("name", all_rigs())
def test_every_camera_is_rigid_and_sees_the_origin_in_its_centre(name):
    cameras = all_rigs()[name]
    turns = cameras.cam_from_world[:, :3, :3]
    np.testing.assert_allclose(
        turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (len(cameras), 1, 1)), atol=1e-12
    )
    assert np.linalg.det(turns).min() > 0.999
    pixels, depth = project(cameras, np.zeros((1, 3)))
    np.testing.assert_allclose(pixels[:, 0], 256.0, atol=1e-9)
    np.testing.assert_allclose(depth[:, 0], np.linalg.norm(cameras.positions, axis=1))
    right = cameras.world_from_cam[:, :3, 0]
    np.testing.assert_allclose(right[:, 2], 0.0, atol=1e-12)  # the horizon is level


def test_opencv_axes_by_a_worked_example():
    # from the front (-Y), the left of the shape (+X) is on the right of the picture, up is up
    cameras = orbit(1, radius=2.0, fov_deg=90.0, resolution=100, elevations=(0.0,))
    np.testing.assert_allclose(cameras.positions, [[0, -2, 0]], atol=1e-12)
    points = np.array([[0.5, 0, 0], [0, 0, 0.5], [0, 0.5, 0]])
    pixels, depth = project(cameras, points)
    np.testing.assert_allclose(pixels[0], [[62.5, 50], [50, 37.5], [50, 50]], atol=1e-9)
    np.testing.assert_allclose(depth[0], [2, 2, 2.5])


def test_opengl_and_opencv_are_inverse_to_each_other_and_keep_the_position():
    poses = fibonacci(5).world_from_cam
    opengl = opengl_from_opencv(poses)
    np.testing.assert_array_equal(opencv_from_opengl(opengl), poses)
    np.testing.assert_array_equal(opengl[:, :, [0, 3]], poses[:, :, [0, 3]])
    np.testing.assert_array_equal(opengl[:, :3, 1:3], -poses[:, :3, 1:3])


def general_cameras():
    intrinsics = np.tile([[90.0, 0, 30.0], [0, 110.0, 41.0], [0, 0, 1]], (4, 1, 1))
    return Cameras(fibonacci(4).cam_from_world, intrinsics, height=70, width=50)


def test_rays_go_through_pixel_centres_and_carry_the_depth():
    cameras = general_cameras()
    for view in range(4):
        origin, directions = pixel_rays(cameras, view)
        assert directions.shape == (70, 50, 3)
        points = origin + 1.7 * directions.reshape(-1, 3)
        pixels, depth = project(cameras, points)
        rows, columns = np.divmod(np.arange(70 * 50), 50)
        np.testing.assert_allclose(pixels[view, :, 0], columns + 0.5, atol=1e-9)
        np.testing.assert_allclose(pixels[view, :, 1], rows + 0.5, atol=1e-9)
        np.testing.assert_allclose(depth[view], 1.7)
        chosen = np.stack([columns + 0.5, rows + 0.5], axis=1)
        np.testing.assert_allclose(
            pixel_rays(cameras, view, chosen)[1], directions.reshape(-1, 3), atol=1e-15
        )
        window = slice(3, 9), slice(20, 50)
        part = pixel_rays(cameras, view, window=window)[1]
        np.testing.assert_array_equal(part, directions[window])


def test_a_depth_along_a_pixels_ray_projects_back_to_pixel_and_depth():
    cameras = general_cameras()
    depth = np.random.default_rng(0).uniform(1, 3, (4, 70, 50))
    for view in range(4):
        centre, directions = pixel_rays(cameras, view)
        points = centre + depth[view][..., None] * directions
        pixels, back = project(cameras, points.reshape(-1, 3))
        np.testing.assert_allclose(back[view].reshape(70, 50), depth[view])
        np.testing.assert_allclose(pixels[view].reshape(70, 50, 2)[3, 5], [5.5, 3.5])


def test_orbit_spreads_the_views_over_its_rings():
    cameras = orbit(7, elevations=(10.0, 40.0, 70.0))
    heights = np.rad2deg(np.arcsin(cameras.positions[:, 2] / 2.0))
    np.testing.assert_allclose(heights, [10, 40, 70, 10, 40, 70, 10])
    np.testing.assert_allclose(cameras.positions[0, 0], 0.0, atol=1e-12)
    assert cameras.positions[0, 1] < 0  # the first view is the front
    yaws = np.arctan2(cameras.positions[:, 1], cameras.positions[:, 0]).round(6)
    assert len(np.unique(yaws)) == 7


def test_fibonacci_is_even():
    unit = fibonacci(200).positions / 2.0
    np.testing.assert_allclose(unit.mean(axis=0), 0.0, atol=0.01)
    cosine = unit @ unit.T - 2 * np.eye(200)
    nearest = np.arccos(cosine.max(axis=1))
    assert nearest.min() > 0.6 * nearest.max()


def test_explicit_matrices_are_kept():
    poses = fibonacci(3).cam_from_world
    np.testing.assert_array_equal(explicit(cam_from_world=poses).cam_from_world, poses)


def test_make_cameras_hands_every_option_on():
    orbits = make_cameras(rig="orbit", views=4, radius=3.0, elevations=(0.0, 30.0), resolution=32)
    assert (orbits.height, orbits.width, len(orbits)) == (32, 32, 4)
    np.testing.assert_allclose(np.linalg.norm(orbits.positions, axis=1), 3.0)
    given = make_cameras(rig="explicit", positions=((0, -4, 0),), fov_deg=60, resolution=10)
    np.testing.assert_allclose(given.intrinsics[0, 0, 0], 5 / np.tan(np.pi / 6))
    shifted = make_cameras(rig="hammersley", views=6, offset=(0.5, 0.25))
    assert not np.allclose(shifted.positions, make_cameras(rig="hammersley", views=6).positions)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"rig": "spiral"}, "spiral"),
        ({"rig": "orbit", "views": 0}, "at least one view"),
        ({"rig": "orbit", "elevations": ()}, "elevations"),
        ({"rig": "explicit", "positions": ()}, "positions"),
        ({"rig": "explicit", "positions": ((0, 0, 0),)}, "origin"),
        ({"rig": "explicit", "positions": ((0, np.nan, 1),)}, "finite"),
        ({"rig": "hammersley", "views": 4, "offset": (5.0, 0.0)}, "offset"),
    ],
)
def test_impossible_requests_get_one_clear_line(request_, message):
    with pytest.raises(UserError, match=message):
        make_cameras(**request_)


@pytest.mark.parametrize(
    "change",
    [
        {"cam_from_world": np.eye(4)},
        {"cam_from_world": np.tile(np.diag([1.0, 1, -1, 1]), (2, 1, 1))},
        {"cam_from_world": np.tile(np.diag([2.0, 2, 2, 1]), (2, 1, 1))},
        {"cam_from_world": np.full((2, 4, 4), np.nan)},
        {"intrinsics": np.tile(np.eye(3), (3, 1, 1))},
        {"intrinsics": np.tile([[1.0, 0.2, 0], [0, 1, 0], [0, 0, 1]], (2, 1, 1))},
        {"height": 0},
    ],
)
def test_malformed_cameras_are_refused(change):
    good = {
        "cam_from_world": np.tile(np.eye(4), (2, 1, 1)),
        "intrinsics": np.tile(np.eye(3), (2, 1, 1)),
        "height": 4,
        "width": 4,
    }
    Cameras(**good)
    with pytest.raises(ValueError):
        Cameras(**{**good, **change})
