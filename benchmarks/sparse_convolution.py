"""Submanifold convolution against plain loops and against the dense grid (64^3, surface voxels).

    OMP_NUM_THREADS=1 python benchmarks/sparse_convolution.py [--repeats 5] [--channels 16 64]

The plain function is the definition word for word: for every occupied voxel, over the 27 places
around it, one matrix-vector product where the place is occupied, found in a dictionary. Ours starts
from the coordinates as well, so that finding the neighbours is part of its time; a network finds
them once for all layers of a grid. All three are checked equal. Times are CPU seconds of the process,
so that other work on the machine does not count; medians of the repeats.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from _timing import timed

from semcorr.networks.sparse.convolution import submanifold_conv
from semcorr.networks.sparse.voxel_set import OFFSETS, one_shape

SIDE = 64
TOLERANCE = 1e-4


def shell(side: int = SIDE) -> np.ndarray:
    """Cells that the surface of an ellipsoid crosses."""
    grid = np.indices((side,) * 3).reshape(3, -1).T
    level = np.linalg.norm((grid + 0.5 - side / 2) / (side * np.array([0.42, 0.45, 0.36])), axis=1)
    return grid[np.abs(level - 1) < 0.5 / (0.42 * side)]


def plain_conv(features: np.ndarray, cells: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return (n, out) by loops over occupied voxels; weight is (27, out, in)."""
    rows = {tuple(cell): row for row, cell in enumerate(cells.tolist())}
    out = np.zeros((len(cells), weight.shape[1]), np.float32)
    for row, (x, y, z) in enumerate(cells.tolist()):
        for tap, (dx, dy, dz) in enumerate(OFFSETS):
            neighbour = rows.get((x + dx, y + dy, z + dz))
            if neighbour is not None:
                out[row] += weight[tap] @ features[neighbour]
    return out


def dense_conv(features: torch.Tensor, cells: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    grid = torch.zeros(1, features.shape[1], SIDE, SIDE, SIDE)
    grid[0][:, *cells.T] = features.T
    return F.conv3d(grid, weight.permute(0, 4, 1, 2, 3), padding=1)[0][:, *cells.T].T


def compare(channels: int, repeats: int) -> None:
    cells = shell()
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(cells), channels, generator=generator)
    weight = torch.randn(channels, 3, 3, 3, channels, generator=generator) / channels**0.5
    taps = weight.permute(1, 2, 3, 0, 4).reshape(27, channels, channels).contiguous().numpy()
    shared = one_shape(cells)
    submanifold_conv(features, shared, weight)
    ours, found = timed(
        lambda: submanifold_conv(features, one_shape(cells), weight), repeats, time.process_time
    )
    layer, _ = timed(lambda: submanifold_conv(features, shared, weight), repeats, time.process_time)
    slow, plain = timed(
        lambda: plain_conv(features.numpy(), cells, taps), max(1, repeats // 2), time.process_time
    )
    rows = torch.from_numpy(cells)
    whole, dense = timed(
        lambda: dense_conv(features, rows, weight), max(1, repeats // 2), time.process_time
    )
    apart = max(
        float((found - torch.from_numpy(plain)).abs().max()), float((found - dense).abs().max())
    )
    if apart > TOLERANCE:
        raise SystemExit(f"{channels} channels: results differ by {apart:.2g}")
    print(
        f"{len(cells)} voxels of {SIDE}^3, {channels} channels: plain {slow:.3f} s, dense"
        f" {whole:.3f} s, ours {ours:.4f} s ({layer:.4f} s once neighbours are known), ratio"
        f" {slow / ours:.1f}x to plain, {whole / ours:.1f}x to dense, largest difference {apart:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 64, 128])
    arguments = parser.parse_args()
    with torch.inference_mode():
        for channels in arguments.channels:
            compare(channels, arguments.repeats)


if __name__ == "__main__":
    main()
