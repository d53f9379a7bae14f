"""The CPU ray caster: geometry buffers at pixel centres, and a quick diffuse picture."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from semcorr.cameras import Cameras, pixel_rays, project
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.interface import Renderer, RenderOptions, Runtime, Views
from semcorr.rendering.rays import RayCaster
from semcorr.rendering.shading import Shader, pixel_area, supersample

# neighbouring pixels that differ by more grey levels than this are supersampled
CONTRAST = 24


class RaycastRenderer:
    """The ray caster as a renderer (see `interface.Renderer`)."""

    def __init__(self, options: RenderOptions | None = None):
        self.options = options or RenderOptions()

    def render(self, mesh: Mesh, cameras: Cameras, name: str = "shape") -> Views:
        """Render a shape in the world frame."""
        return render(mesh, cameras, self.options)


def open_renderer(
    options: RenderOptions | None = None, runtime: Runtime | None = None
) -> AbstractContextManager[Renderer]:
    """The backend as a context manager, like every backend's; it needs one thread and no device."""
    return nullcontext(RaycastRenderer(options))


def render(
    mesh: Mesh,
    cameras: Cameras,
    options: RenderOptions | None = None,
    *,
    adaptive: bool = True,
    colours: bool = True,
) -> Views:
    """Render a shape with the ray caster.

    Args:
        mesh: world frame.
        cameras: n views.
        options: what the picture looks like; `samples` is rounded up to a square number.
        adaptive: supersample only pixels whose surroundings differ (outline, edges, contrast); all
            pixels otherwise, which is the slow reference.
        colours: False leaves rgba 0 (geometry buffers only).

    Raises:
        ItemError: no faces, or vertices that are not finite.
    """
    options = options or RenderOptions()
    shader = Shader(RayCaster(mesh, options.crease_deg), options)
    size = (len(cameras), cameras.height, cameras.width)
    views = Views(
        cameras=cameras,
        rgba=np.zeros((*size, 4), np.uint8),
        mask=np.zeros(size, bool),
        depth=np.zeros(size, np.float32),
        normal=np.zeros((*size, 3), np.float32),
        face_id=np.full(size, -1, np.int32),
        barycentric=np.zeros((*size, 3), np.float32),
    )
    for view in range(len(cameras)):
        window = _window(cameras, view, mesh.vertices)
        shape = tuple(part.stop - part.start for part in window)
        if 0 in shape:
            continue
        hits, normals = _fill_geometry(views, view, window, shader.caster)
        if colours:
            light = np.zeros((3, shape[0] * shape[1]), np.float32)
            light[:, hits.ray] = shader.at_centres(hits, normals, pixel_area(cameras, view), shape)
            views.rgba[view][window] = _picture(views, view, window, shader, light, adaptive)
    return views


def _window(cameras, view, vertices):
    """Rows and columns that the shape can cover in one view, as two slices."""
    pixels, depth = project(cameras.select(view), vertices)
    if depth.min() <= 1e-6:  # the shape reaches behind the camera
        return slice(0, cameras.height), slice(0, cameras.width)
    limits = np.array([cameras.width, cameras.height])
    first = np.clip(np.floor(pixels[0].min(axis=0)) - 1, 0, limits).astype(int)
    last = np.clip(np.ceil(pixels[0].max(axis=0)) + 1, 0, limits).astype(int)
    last = np.maximum(first, last)
    return slice(first[1], last[1]), slice(first[0], last[0])


def _fill_geometry(views, view, window, caster):
    """Cast the rays of one view's window and write its geometry buffers."""
    origin, directions = pixel_rays(views.cameras, view, window=window)
    hits = caster.cast(origin, directions.reshape(-1, 3))
    normals = caster.normals(hits)
    row, column = np.divmod(hits.ray, window[1].stop - window[1].start)
    at = (view, row + window[0].start, column + window[1].start)
    views.mask[at] = True
    views.depth[at] = hits.depth
    views.face_id[at] = hits.face_id
    views.normal[at] = normals[1].T
    views.barycentric[at] = hits.weights.T
    return hits, normals


def _picture(views, view, window, shader, light, adaptive):
    """Colours of one view's window, (h, w, 4) uint8, from the radiance at pixel centres."""
    mask = views.mask[view][window]
    values = shader.encode(light).reshape(3, *mask.shape)
    row, column = np.nonzero(_uneven(values, mask) if adaptive else np.ones_like(mask))
    rgba = np.concatenate([values, np.where(mask, np.uint8(255), np.uint8(0))[None]])
    if len(row):
        pixels = np.stack([column + window[1].start, row + window[0].start], axis=1)
        mean, covered = supersample(shader, views.cameras, view, pixels)
        rgba[:3, row, column] = shader.encode(mean)
        rgba[3, row, column] = np.rint(covered * 255.0)
    rgba *= rgba[3] > 0
    return np.moveaxis(rgba, 0, -1)


def _uneven(values, mask):
    """Pixels with a neighbour that differs in coverage or by more than `CONTRAST` levels."""
    flagged = np.zeros(mask.shape, dtype=bool)
    for axis in (0, 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        one, other = values[(slice(None), *low)], values[(slice(None), *high)]
        contrast = (np.maximum(one, other) - np.minimum(one, other)).max(axis=0)
        differs = (contrast > CONTRAST) | (mask[low] != mask[high])
        flagged[low] |= differs
        flagged[high] |= differs
    return flagged
