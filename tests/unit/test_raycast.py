import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semcorr.cameras import Cameras, explicit, fibonacci, hammersley, orbit, pixel_rays, project
from semcorr.datasets.procedural import generate
from semcorr.errors import ItemError, UserError
from semcorr.geometry.mesh import Material, Mesh
from semcorr.geometry.srgb import linear_from_srgb, srgb_from_linear
from semcorr.rendering.appearance import Appearance
from semcorr.rendering.colour import bytes_from_linear, filmic_from_linear
from semcorr.rendering.interface import PUBLISHED_LAMPS, Lamp, RenderOptions
from semcorr.rendering.lighting import (
    SurfacePoints,
    area_radiance,
    mean_over_neighbours,
    point_radiance,
    prepare_area_lamp,
)
from semcorr.rendering.normals import corner_normals, face_normals
from semcorr.rendering.raycast import open_renderer, render
from semcorr.rendering.rays import RayCaster

FIXTURES = Path(os.environ.get("SEMCORR_FIXTURES", Path(__file__).parents[1] / "parity/fixtures"))


def box(low, high, color=(0.8, 0.8, 0.8, 1.0)):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [q for a, b, c, d in quads for q in ((a, b, c), (a, c, d))]
    return Mesh(
        np.asarray(low) + corners * np.subtract(high, low), faces, materials=(Material(color),)
    )


def joined(*meshes):
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=False)]),
        face_materials=np.repeat(np.arange(len(meshes)), [len(m.faces) for m in meshes]),
        materials=tuple(m.materials[0] for m in meshes),
    )


def axes_shape():
    """A grey core with a long red arm to +X, a green one to +Y, a short blue one to +Z."""
    return joined(
        box((-0.1, -0.1, -0.1), (0.1, 0.1, 0.1)),
        box((0.1, -0.04, -0.04), (0.5, 0.04, 0.04), (1, 0, 0, 1)),
        box((-0.04, 0.1, -0.04), (0.04, 0.42, 0.04), (0, 1, 0, 1)),
        box((-0.04, -0.04, 0.1), (0.04, 0.04, 0.34), (0, 0, 1, 1)),
    )


def bumpy_sphere(rings=24, sides=32):
    theta, phi = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rings), np.arange(sides) * 2 * np.pi / sides, indexing="ij"
    )
    radius = 0.45 + 0.05 * np.sin(3 * phi) * np.sin(theta) ** 2
    unit = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    vertices = np.stack([radius * u for u in unit], -1).reshape(-1, 3)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij"))
    a, b = i * sides + j, i * sides + (j + 1) % sides
    faces = np.concatenate([np.stack([a, a + sides, b], 1), np.stack([b, a + sides, b + sides], 1)])
    return Mesh(vertices, faces)


def general_cameras(views=3):
    intrinsics = np.tile([[60.0, 0, 17.0], [0, 75.0, 29.0], [0, 0, 1]], (views, 1, 1))
    return Cameras(fibonacci(views).cam_from_world, intrinsics, height=50, width=40)


def first_hit(triangles, origin, direction):
    """Every triangle against one ray, in double precision."""
    best = (-1, np.zeros(3), np.inf)
    for index, (a, b, c) in enumerate(triangles):
        matrix = np.stack([b - a, c - a, -direction], axis=1)
        if abs(np.linalg.det(matrix)) < 1e-14:
            continue
        u, v, depth = np.linalg.solve(matrix, origin - a)
        if u >= 0 and v >= 0 and u + v <= 1 and 0 < depth < best[2]:
            best = (index, np.array([1 - u - v, u, v]), depth)
    return best


def test_geometry_equals_trying_every_triangle():
    mesh, cameras = axes_shape(), general_cameras()
    views = render(mesh, cameras, colours=False)
    centre = np.array([17.0, 29.0])
    rng = np.random.default_rng(3)
    hits = 0
    for view in range(3):
        turn = cameras.world_from_cam[view]
        for row, column in rng.integers((10, 5), (45, 32), (60, 2)):
            x, y = (np.array([column, row]) + 0.5 - centre) / (60.0, 75.0)
            direction = turn[:3, :3] @ np.array([x, y, 1.0])
            face, weights, depth = first_hit(mesh.triangles, turn[:3, 3], direction)
            pixel = view, row, column
            assert views.face_id[pixel] == face
            assert views.mask[pixel] == (face >= 0)
            if face >= 0:
                hits += 1
                np.testing.assert_allclose(views.barycentric[pixel], weights, atol=2e-6)
                np.testing.assert_allclose(views.depth[pixel], depth, rtol=1e-6)
                normal = face_normals(mesh.triangles)[face]
                np.testing.assert_allclose(
                    views.normal[pixel], -np.sign(normal @ direction) * normal, atol=1e-6
                )
    assert hits > 20


def test_barycentrics_reproduce_the_hit_point():
    mesh, cameras = bumpy_sphere(60, 90), fibonacci(4, resolution=96)
    views = render(mesh, cameras, colours=False)
    seen = views.mask
    points = np.einsum(
        "pij,pi->pj", mesh.triangles[views.face_id[seen]], views.barycentric[seen].astype(float)
    )
    rays = [pixel_rays(cameras, view) for view in range(len(cameras))]
    along = [c + d[..., None] * ray for (c, ray), d in zip(rays, views.depth, strict=True)]
    np.testing.assert_allclose(points, np.stack(along)[seen], atol=5e-7)
    view, row, column = np.nonzero(seen)
    pixels = project(cameras, points)[0][view, np.arange(len(view))]
    np.testing.assert_allclose(pixels, np.stack([column, row], 1) + 0.5, atol=2e-4)
    assert views.barycentric.min() >= 0
    np.testing.assert_allclose(views.barycentric[seen].sum(axis=1), 1.0, atol=1e-6)


def test_pixels_without_the_shape_are_zero():
    views = render(axes_shape(), hammersley(5, resolution=48))
    empty = ~views.mask
    assert (views.face_id[empty] == -1).all() and (views.face_id[views.mask] >= 0).all()
    for buffer in (views.depth, views.normal, views.barycentric):
        assert not buffer[empty].any()
    assert not views.rgba[views.rgba[..., 3] == 0].any()
    assert views.rgba.dtype == np.uint8 and views.depth.dtype == np.float32


def test_silhouettes_equal_the_published_ones():
    case = FIXTURES / "nsr" / "cameras_and_normalisation"
    inputs, expected = np.load(case / "inputs.npz"), np.load(case / "expected.npz")
    mesh = Mesh(expected["obj_world_vertices"], inputs["faces"])
    cameras = hammersley(5, resolution=int(inputs["mask_resolution"]))
    alpha = render(mesh, cameras).rgba[..., 3]
    for ours, theirs in zip(alpha[1:], expected["alpha_masks"][1:], strict=True):
        assert np.abs(ours / 255.0 - theirs / 255.0).mean() <= 0.004
        both, either = (ours > 127) & (theirs > 127), (ours > 127) | (theirs > 127)
        assert both.sum() / either.sum() >= 0.965


@pytest.mark.parametrize("mesh", [axes_shape(), bumpy_sphere()], ids=["boxes", "sphere"])
def test_sampling_where_needed_equals_sampling_everywhere(mesh):
    cameras = orbit(3, resolution=128, elevations=(30.0, -10.0))
    fast = render(mesh, cameras).rgba.astype(int)
    slow = render(mesh, cameras, adaptive=False).rgba.astype(int)
    assert np.abs(fast[..., 3] - slow[..., 3]).mean() < 0.05
    difference = np.abs(fast - slow)[slow[..., 3] == 255][:, :3]
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 20


def test_two_runs_give_the_same_bytes():
    one, other = (render(axes_shape(), hammersley(5, resolution=64)) for _ in range(2))
    for name in ("rgba", "mask", "depth", "normal", "face_id", "barycentric"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_colours_are_where_the_arms_project_to():
    mesh = axes_shape()
    cameras = explicit([(1.2, 1.5, 0.9), (1.0, 1.3, 1.4)], resolution=96)
    views = render(mesh, cameras)
    tips = np.array([[0.45, 0, 0], [0, 0.38, 0], [0, 0, 0.3]])
    pixels = project(cameras, tips)[0]
    for view in range(2):
        for channel in range(3):
            column, row = pixels[view, channel].astype(int)
            seen = views.rgba[view, row, column, :3].astype(int)
            assert np.argmax(seen) == channel and seen.max() - np.median(seen) > 60


def quad(**more):
    """A square in the XZ plane that faces the front (-Y); u grows with X, v with Z."""
    vertices = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    uvs = (vertices[:, [0, 2]] + 0.5).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return Mesh(vertices, faces, corner_uvs=uvs[faces], **more)


def test_a_texture_is_not_mirrored():
    texture = np.zeros((8, 8, 4), np.uint8)
    texture[..., 3] = 255
    texture[:, :4, 0] = 255  # left half red
    texture[:, 4:, 2] = 255  # right half blue
    texture[:4, :, 1] = 255  # upper half with green
    mesh = quad(materials=(Material((1, 1, 1, 1), texture),))
    # plenty of light from the front, none from elsewhere
    options = RenderOptions(lamps=(Lamp("point", (0, -6, 0), 2000.0),), view_transform="standard")
    front = explicit([(0.0, -2.0, 0.0)], resolution=64)
    picture = render(mesh, front, options).rgba[0]
    bright = picture[..., :3] > 100
    assert bright[20, 20].tolist() == [True, True, False]
    assert bright[20, 44].tolist() == [False, True, True]
    assert bright[44, 20].tolist() == [True, False, False]
    assert bright[44, 44].tolist() == [False, False, True]


def slow_bilinear(texture, u, v):
    height, width = texture.shape[:2]
    x, y = (u % 1) * width - 0.5, (1 - v % 1) * height - 0.5
    total = np.zeros(3)
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            share = (1 - abs(x - column)) * (1 - abs(y - row))
            total += share * texture[row % height, column % width, :3] / 255.0
    return linear_from_srgb(total)


def test_texture_lookup_equals_the_plain_formula():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (6, 9, 4)).astype(np.uint8)
    mesh = quad(materials=(Material((0.5, 1.0, 1.0, 1.0), texture),))
    mesh = replace(mesh, corner_uvs=(mesh.corner_uvs * 3 - 1.2).astype(np.float32))
    weights = rng.dirichlet((1, 1, 1), 200)
    faces = rng.integers(0, 2, 200)
    ours = Appearance(mesh).albedo(faces, weights.T, np.full(200, 1e-9)).T
    uvs = np.einsum("pij,pi->pj", mesh.corner_uvs[faces].astype(float), weights)
    plain = np.array([slow_bilinear(texture, u, v) for u, v in uvs])
    plain[:, 0] *= linear_from_srgb(np.array(0.5))
    np.testing.assert_allclose(ours, plain, atol=3e-4)


def test_texture_coordinates_that_are_not_finite_do_no_harm():
    mesh = quad(materials=(Material((1, 1, 1, 1), np.full((4, 4, 4), 255, np.uint8)),))
    mesh.corner_uvs[0, 1] = np.nan, np.inf
    assert (render(mesh, orbit(1, resolution=32)).rgba[..., 3] == 255).any()


def test_distant_textures_are_averaged_in_linear_light():
    texture = np.zeros((64, 64, 4), np.uint8)
    texture[::2, ::2, :3] = texture[1::2, 1::2, :3] = 255
    mesh = quad(materials=(Material((1, 1, 1, 1), texture),))
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 50)
    far = Appearance(mesh).albedo(np.zeros(50, int), weights.T, np.full(50, 1 / 64))
    np.testing.assert_allclose(far, 0.5, atol=3e-4)


def test_vertex_colours_blend_over_the_face_and_multiply_the_base_colour():
    colours = np.array(
        [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [0, 0, 0, 0]], np.uint8
    )
    mesh = quad(vertex_colors=colours, materials=(Material((1.0, 0.5, 1.0, 1.0)),))
    weights = np.array([[0.2, 0.5, 0.3]])
    ours = Appearance(mesh).albedo(np.array([0]), weights.T, np.ones(1))[:, 0]
    np.testing.assert_allclose(ours, [0.2, 0.5 * linear_from_srgb(np.array(0.5)), 0.3], atol=1e-6)


def test_back_faces_are_shaded_like_front_faces():
    mesh, flipped = quad(), replace(quad(), faces=quad().faces[:, ::-1])
    cameras = explicit([(0.3, -1.9, 0.4)], resolution=48)
    one, other = render(mesh, cameras), render(flipped, cameras)
    np.testing.assert_array_equal(one.rgba, other.rgba)
    assert one.normal[one.mask][:, 1].max() < -0.99
    np.testing.assert_allclose(one.normal, other.normal)


def test_shadows_and_lamps():
    floor = box((-0.5, -0.5, -0.5), (0.5, 0.5, -0.45))
    mesh = joined(floor, box((-0.1, -0.1, 0.0), (0.1, 0.1, 0.1)))
    cameras = explicit([(0.0, -1.2, 1.6)], resolution=64)
    options = RenderOptions(lamps=(Lamp("point", (0, 0, 8), 1500.0),), ambient=0.0)
    lit = render(mesh, cameras, replace(options, shadows=False)).rgba[0].astype(int)
    shaded = render(mesh, cameras, options).rgba[0].astype(int)
    column, row = project(cameras, np.array([[0.0, 0.0, -0.45], [0.4, 0.3, -0.45]]))[0][0].T.astype(
        int
    )
    assert lit[row[0], column[0], 0] > 100 and shaded[row[0], column[0], 0] < 5
    assert abs(lit[row[1], column[1], 0] - shaded[row[1], column[1], 0]) <= 1


def test_soft_shadows_of_an_area_lamp_have_a_penumbra():
    floor = box((-0.5, -0.5, -0.5), (0.5, 0.5, -0.45))
    mesh = joined(floor, box((-0.2, -0.2, 0.0), (0.2, 0.2, 0.1)))
    options = RenderOptions(
        lamps=(Lamp("area", (0, 0, 4), 300.0, 1.0),), ambient=0.0, view_transform="standard"
    )
    cameras = explicit([(0.0, -1.2, 1.6)], resolution=256)
    shaded = render(mesh, cameras, options).rgba[0, ..., 0]
    line = np.stack([np.linspace(-0.45, 0.45, 200), np.full(200, 0.3), np.full(200, -0.45)], 1)
    line[:, 1] = -0.19  # under the edge of the upper box, in the open for the camera
    column, row = project(cameras, line)[0][0].T.astype(int)
    values = shaded[row, column].astype(int)
    dark, bright = values.min(), values.max()
    between = (values > dark + 0.2 * (bright - dark)) & (values < dark + 0.8 * (bright - dark))
    assert bright > 100 and between.sum() > 4


def test_point_lamp_is_the_inverse_square_law():
    lamp = Lamp("point", (0.0, 0.0, 6.0), 100.0)
    normals = np.array([[0, 0, 1], [0, 0.6, 0.8], [0, 0, -1]], np.float32).T
    position = np.array([[0, 0, 0], [0, 0, 2], [0, 0, 0]], np.float32).T
    points = SurfacePoints(position, normals, np.zeros(3, int))
    expected = 100 / (4 * np.pi**2) * np.array([1 / 36, 0.8 / 16, 0])
    np.testing.assert_allclose(point_radiance(lamp, points, None), expected, rtol=1e-5)


def test_area_lamp_equals_a_sum_over_its_surface():
    lamp = prepare_area_lamp(PUBLISHED_LAMPS[1])
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(30, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = SurfacePoints(np.zeros((3, 30), np.float32), normals.T.astype(np.float32), None)
    steps = (np.arange(200) + 0.5) / 200 * 25 - 12.5
    x, y = np.meshgrid(steps, steps)
    spot = np.stack([x.ravel(), y.ravel(), np.full(x.size, 10.0)])
    distance = np.linalg.norm(spot, axis=0)
    emitted = 10000 / (np.pi * 25**2)
    weight = emitted * (25 / 200) ** 2 * 10.0 / distance**3 / np.pi
    plain = np.maximum(normals @ (spot / distance), 0) @ weight
    assert np.abs(area_radiance(lamp, points) - plain).max() < 0.02 * plain.max()


def test_averaging_over_neighbours_equals_plain_loops():
    rng = np.random.default_rng(2)
    height, width = 13, 17
    pixel = np.flatnonzero(rng.uniform(size=height * width) < 0.8)
    normals = np.where(rng.uniform(size=len(pixel)) < 0.7, 0, 1)
    surface = np.stack([normals == 0, normals == 1, normals * 0, 2 + 0.1 * (pixel % 5 == 0)])
    surface = surface.astype(np.float32)
    sent = rng.uniform(0.1, 1, len(pixel)).astype(np.float32)
    arrived = sent * (rng.uniform(size=len(pixel)) < 0.6)
    ours = mean_over_neighbours(sent, arrived, pixel, surface, (height, width))
    place = {int(p): i for i, p in enumerate(pixel)}
    for i, p in enumerate(pixel):
        row, column = divmod(int(p), width)
        total = np.zeros(2)
        for r in range(row - 2, row + 2):
            for c in range(column - 2, column + 2):
                j = place.get(r * width + c) if 0 <= r < height and 0 <= c < width else None
                if j is None or surface[:3, i] @ surface[:3, j] <= 0.9:
                    continue
                if abs(surface[3, i] - surface[3, j]) < 0.02 * surface[3, i]:
                    total += sent[j], arrived[j]
        np.testing.assert_allclose(ours[i], total[1] / total[0], rtol=1e-5)


def slow_corner_normals(vertices, faces, crease_deg):
    flat = face_normals(vertices[faces])
    result = np.zeros((len(faces), 3, 3))
    for f, face in enumerate(faces):
        for k, vertex in enumerate(face):
            for g, other in enumerate(faces):
                for m in range(3):
                    if (vertices[other[m]] != vertices[vertex]).any():
                        continue
                    if flat[f] @ flat[g] < np.cos(np.deg2rad(crease_deg)) - 1e-9:
                        continue
                    a = vertices[other[(m + 1) % 3]] - vertices[other[m]]
                    b = vertices[other[(m + 2) % 3]] - vertices[other[m]]
                    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
                    result[f, k] += angle * flat[g]
            result[f, k] /= np.linalg.norm(result[f, k])
    return result


@pytest.mark.parametrize("crease", [30.0, 75.0, 180.0])
def test_corner_normals_equal_plain_loops(crease):
    sphere = bumpy_sphere(6, 7)
    # split the vertices as files do along seams: the normals must not notice
    vertices, faces = (
        sphere.triangles.reshape(-1, 3),
        np.arange(3 * len(sphere.faces)).reshape(-1, 3),
    )
    ours = corner_normals(vertices, faces, crease)
    np.testing.assert_allclose(ours, slow_corner_normals(vertices, faces, crease), atol=1e-9)


@pytest.mark.parametrize("crease", [0, 40, 180])
def test_blocks_of_corners_change_no_bit(crease, monkeypatch):
    mesh = generate("chair", 1, 2).mesh
    whole = corner_normals(mesh.vertices, mesh.faces, crease), face_normals(mesh.triangles)
    monkeypatch.setattr("semcorr.rendering.normals.AT_ONCE", 37)
    blocks = corner_normals(mesh.vertices, mesh.faces, crease), face_normals(mesh.triangles)
    assert all(np.array_equal(a, b) for a, b in zip(whole, blocks, strict=True))


def test_corner_normals_of_a_box_stay_flat_and_zero_area_faces_are_finite():
    mesh = box((0, 0, 0), (1, 1, 1))
    flat = face_normals(mesh.triangles)
    np.testing.assert_allclose(
        corner_normals(mesh.vertices, mesh.faces, 40), flat[:, None] + np.zeros((1, 3, 1))
    )
    faces = np.concatenate([mesh.faces, [[0, 0, 1], [2, 2, 2]]])
    normals = corner_normals(mesh.vertices, faces, 40)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1.0)


def test_smooth_shading_is_smooth():
    cameras = orbit(1, resolution=96)
    options = RenderOptions(crease_deg=180)
    smooth = render(bumpy_sphere(), cameras, options).normal[0]
    flat = render(bumpy_sphere(), cameras, replace(options, crease_deg=0)).normal[0]
    inside = slice(30, 66), slice(30, 66)
    steps = [np.abs(np.diff(n[inside], axis=1)).max() for n in (smooth, flat)]
    assert steps[0] < 0.5 * steps[1]


def test_colour_tables_are_within_half_a_grey_level_of_the_formulas():
    light = np.concatenate([np.linspace(0, 1.2, 4001), np.geomspace(1e-4, 20, 4001)])
    for name, curve in (("standard", srgb_from_linear), ("filmic", filmic_from_linear)):
        exact = curve(light * 2**-0.5) * 255
        assert np.abs(bytes_from_linear(light, name, -0.5) - exact).max() < 0.75
    values = np.arange(256) / 255
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-12)


@pytest.mark.parametrize(
    ("mesh", "reason"),
    [
        (Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), "no faces"),
        (Mesh(np.full((3, 3), np.nan), [[0, 1, 2]]), "not finite"),
    ],
)
def test_unusable_shapes_are_item_errors(mesh, reason):
    with pytest.raises(ItemError, match=reason):
        render(mesh, hammersley(1, resolution=8))


def test_wrong_options_are_user_errors():
    with pytest.raises(UserError, match="samples"):
        RenderOptions(samples=0)
    with pytest.raises(UserError, match="agx"):
        RenderOptions(view_transform="agx")
    with pytest.raises(UserError, match="sun"):
        Lamp("sun", (0, 0, 5), 1.0)
    with pytest.raises(UserError, match="height"):
        Lamp("area", (0, 0, 0.2), 1.0, 1.0)


def test_a_shape_outside_the_picture_or_around_the_camera():
    away = explicit([(0.0, -2.0, 0.0)], resolution=32)
    mesh = box((5, 0, 0), (6, 1, 1))
    assert not render(mesh, away).rgba.any()
    around = render(box((-3, -3, -3), (3, 3, 3)), away)
    assert around.mask.all() and (around.rgba[..., 3] == 255).all()
    np.testing.assert_allclose(around.depth, 5.0, rtol=1e-6)


def test_the_backend_opens_as_a_renderer():
    with open_renderer(RenderOptions(samples=4), None) as renderer:
        views = renderer.render(axes_shape(), hammersley(2, resolution=24), name="axes")
    assert views.rgba.shape == (2, 24, 24, 4)


def test_blocked_sees_what_lies_between_and_not_beyond():
    caster = RayCaster(box((0, 0, 0), (1, 1, 1)))
    origins = np.array([[0.5, 0.5, 3], [0.5, 0.5, 3], [5, 5, 5]], float).T
    towards = np.array([[0, 0, -1.5], [0, 0, -2.5], [0, 0, -9]], float).T
    assert caster.blocked(origins, towards).tolist() == [False, True, False]
