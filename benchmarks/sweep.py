"""A sweep over layers: features of all blocks from one pass against one run per layer.

    OMP_NUM_THREADS=1 python benchmarks/sweep.py [--width 192] [--resolution 8] [--repeats 5]

Three sides with the same random weights, latent and conditions, features checked equal: our one pass
with a tap on every block; one run per layer that stops after its layer; one run per layer through all
blocks, the published order of work. Times are CPU seconds of the process, so that other work on the
machine does not count; medians of the repeats. The network is narrower than the published one (1024
channels, 16^3 cells): the ratio hardly depends on the width.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from _timing import timed

from semcorr.features.single_step import SingleStep, single_step_features
from semcorr.networks.trellis.loading import untrained_network

NAME = "SparseStructureFlowModel"
TOLERANCE = 1e-4


def example(options: argparse.Namespace):
    """Return the network, a latent and the tokens of the views."""
    arguments = {
        "resolution": options.resolution,
        "in_channels": 8,
        "out_channels": 8,
        "model_channels": options.width,
        "cond_channels": options.width,
        "num_blocks": options.blocks,
        "num_heads": 4,
        "mlp_ratio": 4,
        "qk_rms_norm": True,
        "use_fp16": False,
    }
    random = np.random.default_rng(0)
    latent = random.standard_normal((8, *(options.resolution,) * 3), dtype=np.float32)
    tokens = (options.views, options.tokens, options.width)
    network = untrained_network(NAME, arguments, seed=0)
    return network, latent, random.standard_normal(tokens, dtype=np.float32)


def one_pass(flow, latent, conditions, step: SingleStep) -> np.ndarray:
    return single_step_features(flow, latent, conditions, step)


def run_per_layer(flow, latent, conditions, step: SingleStep) -> np.ndarray:
    """Return the same by a run per layer, each of which stops after its layer."""
    runs = [replace(step, layers=(layer,)) for layer in step.layers]
    return np.concatenate([single_step_features(flow, latent, conditions, run) for run in runs])


def whole_run_per_layer(flow, latent, conditions, step: SingleStep) -> np.ndarray:
    """Return the same by a run per layer through all blocks."""
    last = step.layers[-1]
    rows = []
    for layer in step.layers:
        layers = (layer,) if layer == last else (layer, last)
        run = replace(step, layers=layers)
        rows.append(single_step_features(flow, latent, conditions, run)[:1])
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--resolution", type=int, default=8, help="cells per axis")
    parser.add_argument("--tokens", type=int, default=200, help="condition tokens per view")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = example(options)
    step = SingleStep(layers=tuple(range(options.blocks)), timestep=11, guidance=2.5)
    seconds, features = timed(lambda: one_pass(*given, step), options.repeats, time.process_time)
    print(f"one pass, {options.blocks} layers: {seconds:.2f} s")
    for name, side in (
        ("a run per layer that stops there", run_per_layer),
        ("a run per layer through all blocks", whole_run_per_layer),
    ):
        slow, same = timed(lambda side=side: side(*given, step), options.repeats, time.process_time)
        equal = bool(np.abs(features - same).max() <= TOLERANCE * np.abs(features).max())
        print(f"{name}: {slow:.2f} s, ratio {slow / seconds:.1f}x, equal {equal}")


if __name__ == "__main__":
    main()
