"""Voxels, sizes and plain formulas that the tests of the structured-latent networks share."""

import math

import numpy as np
import torch

from semcorr.networks.sparse.voxel_set import VoxelSet

ENCODER = {
    "resolution": 12,
    "in_channels": 5,
    "model_channels": 24,
    "latent_channels": 3,
    "num_blocks": 3,
    "num_heads": 2,
    "window_size": 4,
}


FLOW = {
    "resolution": 12,
    "in_channels": 3,
    "out_channels": 2,
    "model_channels": 20,
    "cond_channels": 7,
    "num_blocks": 3,
    "num_heads": 2,
    "io_block_channels": [6],
    "qk_rms_norm": True,
}


def shell(batches=2, side=12, seed=0):
    """Voxels of random thick shells, shuffled."""
    generator = np.random.default_rng(seed)
    grid = np.indices((side,) * 3).reshape(3, -1).T
    rows = []
    for batch in range(batches):
        radius = np.linalg.norm(grid + 0.5 - side / 2 + generator.normal(size=3), axis=1)
        cells = grid[np.abs(radius - side / 3) < 0.4]
        cells = cells[generator.random(len(cells)) < 0.5]
        rows.append(np.pad(cells, ((0, 0), (1, 0)), constant_values=batch))
    rows = np.concatenate(rows)
    return VoxelSet(torch.from_numpy(rows[generator.permutation(len(rows))]))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_windows(voxels, window, shift):
    return [
        (b, *((index + shift) // window for index in cell)) for b, *cell in voxels.coords.tolist()
    ]


def softmax_attention(q, k, v):
    """(n, h, d): the formula, one row and one head at a time."""
    out = torch.zeros_like(q)
    for row in range(len(q)):
        for head in range(q.shape[1]):
            scores = k[:, head] @ q[row, head] / math.sqrt(q.shape[2])
            out[row, head] = torch.softmax(scores, 0) @ v[:, head]
    return out


def linear(state, x, key):
    return x @ state[f"{key}.weight"].T + state[f"{key}.bias"]


def plain_norm(x, eps=1e-6):
    x = x - x.mean(1, keepdim=True)
    return x / (x.square().mean(1, keepdim=True) + eps).sqrt()


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def plain_code(cells, channels):
    count = channels // 6
    rows = []
    for cell in cells.tolist():
        row = []
        for place in cell:
            phases = [place * 10000 ** (-i / count) for i in range(count)]
            row += [math.sin(p) for p in phases] + [math.cos(p) for p in phases]
        rows.append(row + [0.0] * (channels - len(row)))
    return torch.tensor(rows)


def flow_inputs(batches=2, seed=0):
    voxels = shell(batches, seed=seed)
    t = torch.linspace(100, 900, batches)
    return normal(len(voxels), 3), voxels, t, normal(batches, 5, 7, seed=1)
