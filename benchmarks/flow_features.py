"""Flow features at full width: early exit and one shared unconditional pass against whole passes.

Both sides get the same random weights (a released-format checkpoint written to a temporary folder),
latent and conditions, and run in their own process, so that each has its own peak memory. The
reference is the published order of work: per view one conditional and one unconditional pass, every
pass through all blocks. Prints the median seconds, the ratio, the peak memory of both, and the
largest difference of the features.

    python benchmarks/flow_features.py                                   # full size, minutes per run
    python benchmarks/flow_features.py --width 96 --blocks 6 --layer 2 --heads 4 --resolution 8
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from semcorr.features.single_step import SingleStep, single_step_features
from semcorr.networks.trellis.loading import network_from, untrained_network

NAME = "SparseStructureFlowModel"
STEP = {"timestep": 11, "guidance": 2.5}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--layer", type=int, default=9, help="block whose output is taken, 0-based")
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=16, help="cells per axis")
    parser.add_argument("--tokens", type=int, default=1374, help="condition tokens per view")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--side", choices=["fast", "reference"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def network_arguments(options: argparse.Namespace) -> dict:
    return {
        "resolution": options.resolution,
        "in_channels": 8,
        "out_channels": 8,
        "model_channels": options.width,
        "cond_channels": options.width,
        "num_blocks": options.blocks,
        "num_heads": options.heads,
        "mlp_ratio": 4,
        "qk_rms_norm": True,
        "use_fp16": True,
    }


def write_checkpoint(options: argparse.Namespace) -> None:
    network = untrained_network(NAME, network_arguments(options), seed=0)
    network.set_dtype(torch.float16)
    save_file(network.state_dict(), options.folder / "flow.safetensors")


def inputs(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    latent = random.standard_normal((8, *(options.resolution,) * 3), dtype=np.float32)
    tokens = (options.views, options.tokens, options.width)
    return latent, random.standard_normal(tokens, dtype=np.float32)


@torch.inference_mode()
def reference(flow, latent: np.ndarray, conditions: np.ndarray, layer: int) -> np.ndarray:
    """Two whole passes per view, one view after the other."""
    x, w = torch.from_numpy(latent)[None], STEP["guidance"]
    time_ = torch.tensor([1000 * STEP["timestep"] / 12])
    total = 0
    for view in torch.from_numpy(conditions)[:, None]:
        hidden = flow(x, time_, view, taps=(layer,)).hidden[layer]
        zero = flow(x, time_, torch.zeros_like(view), taps=(layer,)).hidden[layer]
        total = total + (1 + w) * hidden - w * zero
    grid = (total / len(conditions))[0].T.reshape(-1, *latent.shape[1:])
    return grid.numpy()


def run_side(options: argparse.Namespace) -> None:
    """Time one side in this process; the last line printed is its record."""
    torch.set_num_threads(options.threads)
    path, fast = options.folder / "flow.safetensors", options.side == "fast"
    start = time.perf_counter()
    blocks = options.layer + 1 if fast else None
    flow = network_from(NAME, network_arguments(options), path, blocks)
    record = {"load_s": time.perf_counter() - start}
    latent, conditions = inputs(options)
    step = SingleStep(layers=(options.layer,), **STEP)
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        if fast:
            features = single_step_features(flow, latent, conditions, step)[0]
        else:
            features = reference(flow, latent, conditions, options.layer)
        seconds.append(time.perf_counter() - start)
        print(f"{options.side}: {seconds[-1]:.2f} s", file=sys.stderr, flush=True)
    np.save(options.folder / f"{options.side}.npy", features)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts KiB
    print(json.dumps(record | {"seconds": seconds, "peak_gib": peak}))


def run_child(side: str, folder: Path) -> dict:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--folder", str(folder)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    options = parse()
    if options.side:
        run_side(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        options.folder = Path(folder)
        write_checkpoint(options)
        sides = {side: run_child(side, options.folder) for side in ("fast", "reference")}
        fast, slow = (np.load(options.folder / f"{side}.npy") for side in ("fast", "reference"))
    medians = {side: statistics.median(record["seconds"]) for side, record in sides.items()}
    numbers = {
        "width": options.width,
        "blocks": options.blocks,
        "layer": options.layer,
        "threads": options.threads,
        "reference_s": medians["reference"],
        "fast_s": medians["fast"],
        "ratio": medians["reference"] / medians["fast"],
        "reference_peak_gib": sides["reference"]["peak_gib"],
        "fast_peak_gib": sides["fast"]["peak_gib"],
        "largest_difference": float(np.abs(fast - slow).max()),
        "largest_feature": float(np.abs(slow).max()),
    }
    for name, value in numbers.items():
        print(f"{name:20} {value:.4g}")
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
