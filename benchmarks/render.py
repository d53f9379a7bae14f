"""How much faster the ray caster is than Blender's Cycles: same shape, views, samples and threads.

Both make pictures of the same views in turn, in one run; the medians are compared. Blender's time
is what its worker needs per view in a session that is already running (render and PNG), without
start-up, scene set-up and denoising. The ray caster's time is all of it: set-up of the shape,
geometry buffers and colours. CPU seconds are given too: they mean something on a busy machine.
"""

import argparse
import os
import statistics
import time

import numpy as np

from semcorr.cameras import make_cameras
from semcorr.geometry.mesh import Mesh
from semcorr.rendering import raycast
from semcorr.rendering.blender import BlenderSession, WorkerOptions
from semcorr.rendering.interface import RenderOptions


def blobby_torus(rings: int, sides: int) -> Mesh:
    """A bumpy coloured torus of 2 x rings x sides faces: curved, with a hole and shadows."""
    u, v = np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij")
    a, b = 2 * np.pi * u.ravel() / rings, 2 * np.pi * v.ravel() / sides
    tube = 0.14 + 0.02 * np.sin(5 * a) * np.cos(3 * b)
    ring = 0.33 + tube * np.cos(b)
    vertices = np.stack([ring * np.cos(a), tube * np.sin(b) * 1.5, ring * np.sin(a)], axis=1)
    this, side = (u * sides + v).ravel(), (u * sides + (v + 1) % sides).ravel()
    up, both = (np.roll(i.reshape(rings, sides), -1, axis=0).ravel() for i in (this, side))
    faces = np.concatenate([np.stack([this, up, both], 1), np.stack([this, both, side], 1)])
    shade = (127 + 127 * np.stack([np.sin(a), np.sin(2 * b), np.cos(a), np.ones_like(a)], 1)).clip(
        0
    )
    return Mesh(vertices, faces, vertex_colors=shade.astype(np.uint8))


def main() -> None:
    """Run both and print one line each and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=512, help="picture side, pixels")
    parser.add_argument("--samples", type=int, default=16, help="samples per pixel")
    parser.add_argument("--views", type=int, default=3, help="views per repetition")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions; medians are compared")
    parser.add_argument("--threads", type=int, default=1, help="Blender's threads; ours is 1")
    parser.add_argument("--faces", type=int, default=20000, help="faces of the test shape")
    arguments = parser.parse_args()

    sides = max(8, round((arguments.faces / 6) ** 0.5))
    mesh = blobby_torus(3 * sides, sides)
    cameras = make_cameras(
        rig="orbit", views=arguments.views, elevations=(25.0,), resolution=arguments.resolution
    )
    options = RenderOptions(samples=arguments.samples, denoise=False)
    wall, cpu = {"blender": [], "raycast": []}, {"blender": [], "raycast": []}
    finished = []

    def note(event):
        if event["event"] == "view":
            finished.append((event["seconds"], event["cpu_seconds"]))

    raycast.render(mesh, cameras, options)
    with BlenderSession(options, WorkerOptions(threads=arguments.threads), note) as session:
        session.render(mesh, cameras.select(0))
        for _ in range(arguments.repeats):
            finished.clear()
            session.render(mesh, cameras)
            mean = np.mean(finished, axis=0)
            wall["blender"].append(float(mean[0]))
            cpu["blender"].append(float(mean[1]))
            start, cpu_start = time.perf_counter(), time.process_time()
            raycast.render(mesh, cameras, options)
            wall["raycast"].append((time.perf_counter() - start) / len(cameras))
            cpu["raycast"].append((time.process_time() - cpu_start) / len(cameras))
        version = session.version
    print(
        f"{len(mesh.faces)} faces, {arguments.resolution} px, {arguments.samples} samples, "
        f"{arguments.views} views, {arguments.threads} thread(s), Blender {version}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for label, seconds in (("wall", wall), ("CPU", cpu)):
        middle = {name: statistics.median(values) for name, values in seconds.items()}
        for name, values in seconds.items():
            listed = " ".join(f"{value:.3f}" for value in values)
            print(f"{name:8s} {middle[name]:.3f} {label} s a view (median of {listed})")
        print(f"ratio    {middle['blender'] / middle['raycast']:.1f} x in {label} seconds")


if __name__ == "__main__":
    main()
