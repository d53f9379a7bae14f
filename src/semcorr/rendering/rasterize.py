"""The rasteriser (nvdiffrast, CUDA): quick pictures without shadows on a GPU.

nvdiffrast says which triangle each sample shows and where on it; `gpu_shading` colours the samples; means
over samples become pixels. Geometry buffers are the ray caster's, as in every backend.

nvdiffrast is not on the package index and under a licence of NVIDIA's own (research and evaluation): it is
installed by the user, loaded only here, and asked for nothing but triangle ids and barycentric weights.
"""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr.cameras import Cameras
from semcorr.errors import UserError
from semcorr.geometry.mesh import Mesh
from semcorr.networks.devices import why_no_cuda
from semcorr.rendering import raycast
from semcorr.rendering.colour import bytes_from_linear
from semcorr.rendering.gpu_shading import GpuShader
from semcorr.rendering.interface import Renderer, RenderOptions, Runtime, Views

# Raised by hand when pictures of this backend change, here or in what it imports
VERSION = 1
# nvdiffrast's CUDA rasteriser works on tiles of 8 and sides of at most 2048
TILE, LARGEST = 8, 2048
# nearest and farthest depth that is drawn
NEAR, FAR = 0.01, 1000.0
REMEDY = "use backend: raycast (any machine) or blender"
# (clip positions (v, 4), triangles (f, 3) int32, (h, w)) -> (h, w, 4): the first two barycentric
# weights, depth in clip space, triangle + 1 (0 = none); row 0 is at y = -1
Rasterise = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]


class RasterizeRenderer:
    """The rasteriser as a renderer (see `interface.Renderer`).

    Args:
        rasterise: draws triangles, see `Rasterise`.
        options: what the picture looks like; shadows are left out, `samples` is rounded up to a
            square number, and down where the samples of a picture would need sides above 2048.
        device: torch device.
    """

    def __init__(
        self, rasterise: Rasterise, options: RenderOptions | None = None, device: str = "cuda"
    ):
        self.rasterise = rasterise
        self.options = options or RenderOptions()
        self.device = device

    @torch.no_grad()
    def render(self, mesh: Mesh, cameras: Cameras, name: str = "shape") -> Views:
        """Render a shape in the world frame.

        Raises:
            ItemError: no faces, or vertices that are not finite.
            UserError: pictures that are larger than the rasteriser draws.
        """
        views = raycast.render(mesh, cameras, self.options, colours=False)
        grid = sample_grid(self.options.samples, cameras.height, cameras.width)
        shader = GpuShader(mesh, self.options, self.device)
        rgba = [self._picture(shader, cameras, view, grid) for view in range(len(cameras))]
        return replace(views, rgba=np.stack(rgba))

    def _picture(self, shader: GpuShader, cameras: Cameras, view: int, grid: int) -> np.ndarray:
        size = (cameras.height * grid, cameras.width * grid)
        drawn = tuple(-(-side // TILE) * TILE for side in size)
        clip_from_world = torch.from_numpy(clip_matrix(cameras, view, grid, drawn))
        corners = torch.cat([shader.vertices, torch.ones_like(shader.vertices[:, :1])], dim=1)
        positions = (corners @ clip_from_world.T.to(shader.vertices)).float()
        found = self.rasterise(positions, shader.faces, drawn)[: size[0], : size[1]]
        covered = found[..., 3] > 0
        face = found[..., 3][covered].long() - 1
        first, second = found[..., 0][covered], found[..., 1][covered]
        weights = torch.stack([first, second, 1 - first - second], dim=1)
        light = torch.zeros((*size, 3), device=found.device)
        light[covered] = shader.radiance(face, weights, cameras, view)
        return self._encoded(_per_pixel(light, grid), _per_pixel(covered[..., None].float(), grid))

    def _encoded(self, light: Tensor, covered: Tensor) -> np.ndarray:
        """Mean radiance over samples (0 where none is covered) and coverage -> (h, w, 4) uint8."""
        mean = (light / covered.clamp(min=1e-9)).cpu().numpy()
        alpha = np.rint(covered.cpu().numpy() * 255).astype(np.uint8)
        options = self.options
        rgb = bytes_from_linear(mean, options.view_transform, options.exposure)
        return np.concatenate([rgb * (alpha > 0), alpha], axis=-1)


def sample_grid(samples: int, height: int, width: int) -> int:
    """Return samples per pixel and axis: as asked, or as many as the rasteriser can draw.

    Raises:
        UserError: one sample a pixel is too many already.
    """
    largest = LARGEST // max(height, width)
    if largest == 0:
        raise UserError(f"rasterize draws at most {LARGEST} pixels a side; {REMEDY}")
    return min(int(np.ceil(np.sqrt(samples))), largest)


def clip_matrix(
    cameras: Cameras, view: int, grid: int, drawn: tuple[int, int]
) -> Float[np.ndarray, "4 4"]:
    """World to clip space of pictures whose row 0 lies at y = -1.

    Args:
        cameras: the rig.
        view: index of the camera.
        grid: samples per pixel and axis.
        drawn: rows and columns that are drawn: those of the picture times `grid` and a margin
            right and below, so that samples keep their places.
    """
    height, width = drawn
    fx, fy, cx, cy = cameras.intrinsics[view][[0, 1, 0, 1], [0, 1, 2, 2]] * grid
    clip_from_cam = np.array(
        [
            [2 * fx / width, 0, 2 * cx / width - 1, 0],
            [0, 2 * fy / height, 2 * cy / height - 1, 0],
            [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
            [0, 0, 1, 0],
        ]
    )
    return clip_from_cam @ cameras.cam_from_world[view]


def _per_pixel(values: Tensor, grid: int) -> Tensor:
    """Mean over the samples of each pixel: (h g, w g, c) -> (h, w, c)."""
    rows, columns, channels = values.shape
    split = values.reshape(rows // grid, grid, columns // grid, grid, channels)
    return split.mean(dim=(1, 3))


def nvdiffrast_rasterise(device: str = "cuda") -> Rasterise:
    """Return nvdiffrast's CUDA rasteriser.

    Raises:
        UserError: no CUDA device, or nvdiffrast is not installed or does not load.
    """
    if not torch.cuda.is_available():
        raise UserError(
            f"backend: rasterize needs a CUDA device, there is none on {socket.gethostname()}"
            f" ({why_no_cuda()}); {REMEDY}"
        )
    try:
        import nvdiffrast.torch as nvdiffrast
    except (ImportError, OSError) as error:
        raise UserError(
            f"backend: rasterize needs nvdiffrast, which does not load ({error}). It is not on the"
            " package index: install it from github.com/NVlabs/nvdiffrast (NVIDIA's own licence),"
            f" or {REMEDY}"
        ) from error
    context = nvdiffrast.RasterizeCudaContext(device=device)

    def rasterise(positions: Tensor, faces: Tensor, size: tuple[int, int]) -> Tensor:
        found, _ = nvdiffrast.rasterize(
            context, positions[None].contiguous(), faces, resolution=list(size), grad_db=False
        )
        return found[0]

    return rasterise


def open_renderer(
    options: RenderOptions | None = None, runtime: Runtime | None = None
) -> AbstractContextManager[Renderer]:
    """The backend as a context manager, like every backend's.

    Raises:
        UserError: device: cpu, no CUDA device, or no nvdiffrast.
    """
    if runtime is not None and runtime.device == "cpu":
        raise UserError(f"backend: rasterize runs on CUDA only, but device is cpu; {REMEDY}")
    return nullcontext(RasterizeRenderer(nvdiffrast_rasterise(), options))
