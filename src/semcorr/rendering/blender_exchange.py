"""What passes between us and Blender: requests and geometry there, pictures and passes back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from semcorr.cameras import Cameras
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.appearance import linear_base_colors
from semcorr.rendering.colour import LINEAR_OF_BYTE
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.normals import corner_normals

# bounces of HNSR's render script
BOUNCES = {"diffuse": 1, "glossy": 1, "transparent": 3, "transmission": 3}
VIEW_TRANSFORMS = {"standard": "Standard", "filmic": "Filmic"}
BACKGROUND_DEPTH = 1e9  # Cycles writes 1e10 where nothing is


@dataclass(frozen=True)
class WorkerOptions:
    """How the worker runs; pictures do not depend on it (but on CPU or GPU in the last digits).

    Attributes:
        executable: Python with bpy or Blender itself; None: SEMCORR_BLENDER, then .venv-blender.
        device: cpu, cuda or auto.
        threads: render threads.
        passes: also return Blender's own mask, depth and normals.
        timeout_s: a worker that finishes no view for so long hangs.
        start_timeout_s: the same until it has loaded Blender.
    """

    executable: str | None = None
    device: str = "cpu"
    threads: int = 1
    passes: bool = False
    timeout_s: float = 600.0
    start_timeout_s: float = 180.0


def item_request(
    name: str,
    geometry: Path,
    folder: Path,
    cameras: Cameras,
    options: RenderOptions,
    worker: WorkerOptions,
) -> dict:
    """The worker's request for one shape.

    Args:
        name: what events call the shape.
        geometry: archive of `geometry_arrays`.
        folder: where pictures go, `{view:03d}.png`.
        cameras: of one picture size.
        options: what pictures look like.
        worker: device, threads, passes.
    """
    # a lamp that lights nothing would still be given samples, and only add noise
    lamps = [vars(lamp) for lamp in options.lamps if not lamp.shines_away]
    return {
        "name": name,
        "geometry": str(geometry),
        "out": str(folder),
        "width": cameras.width,
        "height": cameras.height,
        "samples": options.samples,
        "bounces": BOUNCES,
        "lights": {
            "ambient": options.ambient,
            "shadows": options.shadows,
            "lamps": lamps,
        },
        "look": {
            "view_transform": VIEW_TRANSFORMS[options.view_transform],
            "exposure": options.exposure,
        },
        "device": worker.device,
        "threads": worker.threads,
        "seed": options.seed % 2**31,
        "denoise": options.denoise,
        "passes": worker.passes,
    }


def geometry_arrays(mesh: Mesh, cameras: Cameras, crease_deg: float) -> dict[str, np.ndarray]:
    """Everything of a shape and its cameras that the worker needs, as plain arrays."""
    textures = [material.texture for material in mesh.materials]
    arrays = {
        "vertices": mesh.vertices,
        "faces": mesh.faces,
        "corner_normals": corner_normals(mesh.vertices, mesh.faces, crease_deg),
        "face_materials": mesh.face_materials,
        "base_colors": linear_base_colors(mesh),
        "textured": np.array([texture is not None for texture in textures]),
        "world_from_cam": cameras.world_from_cam_opengl,
        "intrinsics": cameras.intrinsics,
    }
    for index, texture in enumerate(textures):
        if texture is not None:
            arrays[f"texture_{index}"] = texture
    if mesh.corner_uvs is not None:
        arrays["corner_uvs"] = mesh.corner_uvs
    if mesh.vertex_colors is not None:
        colours = np.ones((len(mesh.vertices), 4), np.float32)
        colours[:, :3] = LINEAR_OF_BYTE[mesh.vertex_colors[:, :3]]
        arrays["corner_colors"] = colours[mesh.faces]
    return arrays


def read_png(path):
    """An RGBA picture with colour 0 where it is transparent."""
    with Image.open(path) as picture:
        rgba = np.array(picture.convert("RGBA"))
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def read_exr(path):
    """Mask, planar depth and world normal of Blender's multilayer file."""
    import OpenEXR  # only comparisons read passes

    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {key: np.array(entry.pixels) for key, entry in file.channels().items()}
    by_name = {key.split(".", 1)[1]: values for key, values in channels.items()}
    depth = by_name["Depth.Z"].astype(np.float32)
    mask = depth < BACKGROUND_DEPTH
    normal = np.stack([by_name[f"Normal.{axis}"] for axis in "XYZ"], axis=-1).astype(np.float32)
    return {"mask": mask, "depth": np.where(mask, depth, 0.0).astype(np.float32), "normal": normal}
