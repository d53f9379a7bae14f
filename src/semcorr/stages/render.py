"""Stage `render`: views of one chunk."""

from contextlib import contextmanager
from importlib import import_module

import numpy as np

from semcorr.cameras import make_cameras
from semcorr.config.load import entry_of
from semcorr.config.renders import Render
from semcorr.geometry.mesh_arrays import from_arrays
from semcorr.rendering.interface import RenderOptions, Views
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader, write_chunk
from semcorr.store.items import Arrays
from semcorr.store.shared import shared_chunk

# Raised by hand when the arrays of all backends change: an edit must not cost GPU hours
VERSION = 1


def main(job: StageJob) -> None:
    """Write renders/{render}/{dataset}/{chunk}: colours, depth, normals, masks, face ids, cameras."""
    entry: Render = entry_of("renders", job.cfg)
    cameras = cameras_of(entry)
    meshes = ChunkReader(job.input("meshes"))

    @contextmanager
    def prepare(missing):
        with open_renderer(entry, job.runtime) as renderer:

            def compute(item_id: str) -> Arrays:
                mesh = from_arrays(meshes.read(item_id))
                return to_arrays(renderer.render(mesh, cameras, name=item_id))

            yield compute

    described = job.chunk_job(
        frame="world: Z up; cameras: OpenCV", units="depth: longest side = 1", on_scratch=True
    )
    write_chunk(described, prepare, unit="shape", shared=shared_chunk("renders", described.key))


def cameras_of(entry: Render):
    """Return the cameras of a `renders` entry."""
    return make_cameras(
        rig=entry.rig,
        views=entry.views,
        radius=entry.radius,
        fov_deg=entry.fov_deg,
        resolution=entry.resolution,
        elevations=entry.elevations,
        positions=entry.positions,
    )


def open_renderer(entry: Render, runtime):
    """Return the backend's context manager; it yields a renderer."""
    backend = import_module(f"semcorr.rendering.{entry.backend}")
    return backend.open_renderer(RenderOptions(samples=entry.samples), runtime)


def to_arrays(views: Views) -> Arrays:
    """Return the arrays of a shape's views; half precision where a pixel needs no more."""
    return {
        "rgba": views.rgba,
        "mask": views.mask.astype(np.uint8),
        "depth": views.depth.astype(np.float32),
        "normal": views.normal.astype(np.float16),
        "face_id": views.face_id.astype(np.int32),
        "barycentric": views.barycentric.astype(np.float16),
        "cam_from_world": views.cameras.cam_from_world,
        "intrinsics": views.cameras.intrinsics,
    }


if __name__ == "__main__":
    run_alone(main, main.__doc__)
