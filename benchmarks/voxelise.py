"""Voxelisation against the plain loop: same inputs, one thread, median of 5, both checked equal.

    python benchmarks/voxelise.py [--runs 5] [--faces 1000000]

The plain loop is `tests/unit/plain_voxelise.py`, the function that the unit and parity tests hold
equal to `semcorr.geometry.voxels.voxelise`; it does no work beyond the rule. Neither uses
threads; times are CPU seconds of the process, so that other work on the machine does not count.
"""

import argparse
import resource
import runpy
import statistics
import time
from pathlib import Path

import numpy as np
import trimesh

from semcorr.geometry.frames import world_from_file
from semcorr.geometry.transforms import apply, rotation_yaw
from semcorr.geometry.voxels import voxelise

PLAIN = Path(__file__).resolve().parents[1] / "tests" / "unit" / "plain_voxelise.py"
voxelise_plain = runpy.run_path(str(PLAIN))["voxelise_plain"]


def chair():
    boxes = [((0, 0, 0), (0.5, 0.5, 0.05)), ((0, 0.24, 0.3), (0.5, 0.04, 0.6))]
    boxes += [((x, y, -0.25), (0.05, 0.05, 0.5)) for x in (-0.2, 0.2) for y in (-0.2, 0.2)]
    parts = []
    for centre, size in boxes:
        part = trimesh.creation.box(extents=size)
        part.apply_translation(centre)
        parts.append(part)
    whole = trimesh.util.concatenate(parts)
    return whole.vertices @ rotation_yaw(0.4).T, whole.faces


def shapes():
    torus = trimesh.creation.torus(0.35, 0.12, major_sections=64, minor_sections=32)
    sphere = trimesh.creation.icosphere(subdivisions=5)
    return {
        "chair of boxes, turned": chair(),
        "torus, 4 096 faces": (torus.vertices, torus.faces),
        "sphere, 20 480 faces": (sphere.vertices, sphere.faces),
    }


def median_time(function, runs):
    times = []
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--faces", type=int, default=1_000_000, help="random faces; 0 = leave out")
    options = options.parse_args()
    print(f"{'shape':28} {'cells':>7} {'plain s':>9} {'ours s':>9} {'ratio':>7}")
    for name, (vertices, faces) in shapes().items():
        world = apply(world_from_file(vertices, "+z", "-y"), vertices)
        cells = voxelise(world, faces, 64)
        points, triangles = world.tolist(), faces.tolist()
        if not np.array_equal(cells, voxelise_plain(points, triangles, 64)):
            raise SystemExit(f"{name}: both results differ")
        plain = median_time(lambda p=points, t=triangles: voxelise_plain(p, t, 64), options.runs)
        ours = median_time(lambda w=world, f=faces: voxelise(w, f, 64), options.runs)
        print(f"{name:28} {len(cells):7d} {plain:9.3f} {ours:9.4f} {plain / ours:7.1f}")
    if options.faces:
        random = np.random.default_rng(0)
        centres = random.uniform(-0.5, 0.5, (options.faces, 1, 3))
        corners = centres + random.normal(scale=0.01, size=(options.faces, 3, 3))
        faces = np.arange(3 * options.faces).reshape(-1, 3)
        taken = median_time(lambda: voxelise(corners.reshape(-1, 3), faces, 64), 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{options.faces} random faces: {taken:.2f} s, peak of the process {peak:.0f} MB")


if __name__ == "__main__":
    main()
