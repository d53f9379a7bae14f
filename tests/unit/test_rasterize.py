"""The rasteriser: all but nvdiffrast itself on the CPU, with the ray caster drawing the triangles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_blender import textured_quad
from test_raycast import axes_shape, bumpy_sphere, general_cameras

from semcorr.cameras import fibonacci, hammersley, orbit, project
from semcorr.errors import ItemError, UserError
from semcorr.geometry.mesh import Mesh
from semcorr.rendering import raycast
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.rasterize import RasterizeRenderer, clip_matrix, open_renderer, sample_grid
from semcorr.rendering.rays import RayCaster
from semcorr.stages.running.job import Runtime

PLAIN = RenderOptions(samples=4, shadows=False)


class Drawn:
    """Draws what nvdiffrast would, with rays: only clip positions and triangles are known to it."""

    def __init__(self):
        self.sizes = []

    def __call__(self, positions, faces, size):
        self.sizes.append(size)
        clip = positions.double().numpy()
        # the picture plane of clip space as seen from its own centre: x, y, w are a space with a camera
        caster = RayCaster(Mesh(clip[:, [0, 1, 3]], faces.numpy()))
        y, x = ((np.arange(side) + 0.5) / side * 2 - 1 for side in size)
        x, y = np.meshgrid(x, y)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
        hits = caster.cast(np.zeros(3), rays)
        found = np.zeros((len(rays), 4), np.float32)
        found[hits.ray, :2], found[hits.ray, 3] = hits.weights[:2].T, hits.face_id + 1
        return torch.from_numpy(found.reshape(*size, 4))


def vertex_coloured():
    mesh = bumpy_sphere()
    colours = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4), dtype=np.uint8)
    return replace(mesh, vertex_colors=colours)


def fine_texture():
    """A texture far finer than the pixels: its mean is what is seen."""
    quad = textured_quad()
    texture = np.full((256, 256, 4), 255, np.uint8)
    texture[::2, :, :3] = 0
    (material,) = quad.materials
    return replace(quad, materials=(replace(material, texture=texture),))


SCENES = {
    "materials": (axes_shape, fibonacci(3, resolution=40)),
    "vertex colours": (vertex_coloured, hammersley(3, resolution=40)),
    "texture": (textured_quad, orbit(2, resolution=40)),
    "fine texture": (fine_texture, orbit(2, resolution=40)),
    "general cameras": (axes_shape, general_cameras()),
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("samples", [1, 9])
def test_pictures_are_those_of_the_ray_caster_without_shadows(name, samples):
    build, cameras = SCENES[name]
    mesh, options = build(), replace(PLAIN, samples=samples)
    views = RasterizeRenderer(Drawn(), options, "cpu").render(mesh, cameras)
    expected = raycast.render(mesh, cameras, options, adaptive=False)
    assert views.rgba.dtype == np.uint8
    for field in ("mask", "depth", "normal", "face_id", "barycentric"):
        assert getattr(views, field).tobytes() == getattr(expected, field).tobytes()
    alpha = np.abs(views.rgba[..., 3].astype(int) - expected.rgba[..., 3])
    assert (alpha > 0).mean() < 0.01, "samples on an edge may fall on either side of it"
    same = (alpha == 0) & (expected.rgba[..., 3] > 0)
    assert same.sum() > 100
    error = np.abs(views.rgba.astype(int) - expected.rgba)[same][:, :3].max(axis=1)
    assert np.percentile(error, 99) <= 2, np.percentile(error, [50, 90, 99, 100])
    assert not views.rgba[views.rgba[..., 3] == 0].any()


def test_clip_positions_fall_onto_the_samples_of_the_picture():
    cameras = general_cameras()
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    pixels, depth = project(cameras, points)
    for view in range(len(cameras)):
        matrix = clip_matrix(cameras, view, 3, (160, 128))
        clip = np.column_stack([points, np.ones(50)]) @ matrix.T
        place = (clip[:, :2] / clip[:, 3:] + 1) / 2 * (128, 160)
        np.testing.assert_allclose(place, 3 * pixels[view], atol=1e-9)
        np.testing.assert_allclose(clip[:, 3], depth[view], atol=1e-12)
        assert (np.abs(clip[:, 2] / clip[:, 3]) < 1).all()
        order = np.argsort(depth[view])
        assert (np.diff(clip[order, 2] / clip[order, 3]) > 0).all()


def test_whole_tiles_are_drawn_and_as_many_samples_as_fit():
    drawn = Drawn()
    RasterizeRenderer(drawn, replace(PLAIN, samples=5), "cpu").render(
        axes_shape(), general_cameras(1)
    )
    assert drawn.sizes == [(152, 120)]  # 50 x 40, three samples an axis
    assert sample_grid(16, 256, 256) == 4
    assert sample_grid(16, 600, 1000) == 2
    assert sample_grid(1, 2048, 10) == 1
    with pytest.raises(UserError, match="at most 2048"):
        sample_grid(1, 10, 2049)


def test_shapes_that_cannot_be_drawn_are_failed_items():
    broken = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]]), np.array([[0, 1, 2]]))
    for mesh in (broken, Mesh(np.zeros((3, 3)), np.zeros((0, 3), int))):
        with pytest.raises(ItemError, match="render"):
            RasterizeRenderer(Drawn(), PLAIN, "cpu").render(mesh, orbit(1, resolution=16))


def test_without_cuda_or_nvdiffrast_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"needs a CUDA device, there is none on .*; use backend: raycast"
    ):
        open_renderer()
    with pytest.raises(UserError, match="device is cpu; use backend: raycast"):
        open_renderer(runtime=Runtime(device="cpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(__import__("sys").modules, "nvdiffrast", None)
    with pytest.raises(
        UserError, match="needs nvdiffrast, which does not load .*github.com/NVlabs"
    ):
        open_renderer()


@pytest.mark.cuda("nvdiffrast")
@pytest.mark.parametrize("name", SCENES)
def test_nvdiffrast_draws_what_the_ray_caster_sees(name):
    build, cameras = SCENES[name]
    mesh = build()
    with open_renderer(PLAIN) as renderer:
        views = renderer.render(mesh, cameras)
    expected = RasterizeRenderer(Drawn(), PLAIN, "cpu").render(mesh, cameras)
    alpha = np.abs(views.rgba[..., 3].astype(int) - expected.rgba[..., 3])
    assert (alpha > 0).mean() < 0.01
    same = (alpha == 0) & (expected.rgba[..., 3] > 0)
    error = np.abs(views.rgba.astype(int) - expected.rgba)[same][:, :3]
    assert np.percentile(error, 99) <= 2
