"""Latents of 24 yaws of one chair: as many grids at once as a pass may hold against one by one.

    OMP_NUM_THREADS=1 python benchmarks/latents.py [--repeats 5]

Shipped tiny encoder, 32^3 voxels; both sides run the same function. Prints the median CPU seconds of both
and their ratio; the latents must agree.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from _timing import timed

from semcorr.datasets.procedural import generate
from semcorr.geometry.voxels import voxelise
from semcorr.matching.rotations import turns
from semcorr.networks.trellis.loading import network_from
from semcorr.networks.trellis.vae import encode_cells

WEIGHTS = Path(__file__).parents[1] / "resources/weights/ss_vae_tiny.safetensors"
YAWS, RESOLUTION = 24, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    args = json.loads(WEIGHTS.with_suffix(".json").read_text())["args"]
    encoder = network_from("SparseStructureEncoder", args, WEIGHTS)
    mesh = generate("chair", 1, 0).mesh
    # smaller, so that every yaw stays inside of the unit cube
    shapes = [
        voxelise(0.7 * mesh.vertices @ turn.T, mesh.faces, RESOLUTION) for turn in turns(YAWS)
    ]
    fast, means = timed(
        lambda: encode_cells(encoder, shapes, RESOLUTION).mean, repeats, time.process_time
    )
    slow, plain = timed(
        lambda: torch.cat([encode_cells(encoder, [s], RESOLUTION).mean for s in shapes]),
        repeats,
        time.process_time,
    )
    torch.testing.assert_close(means, plain, atol=1e-4, rtol=1e-4)
    print(f"{YAWS} yaws: {fast:.2f} s at once, {slow:.2f} s one by one, {slow / fast:.1f}x")


if __name__ == "__main__":
    main()
