"""Time and memory of every released network at its published size, with random weights.

Each network is written in the released layout (random values, float16 where the released file has it),
opened by the code of its kind as a job opens it, and run once on one item, in a process of its own on
one thread. `features` is a whole item of kind `hnsr` at the published setting: four views through the
image encoder, five passes through ten blocks of the flow network; it must stay below 4 GB. Prints CPU
seconds (other work on the machine does not count) and peak memory (resident, Python included).

    python benchmarks/released_networks.py                          # all: tens of minutes
    python benchmarks/released_networks.py features ss_encoder --precision bf16
    python benchmarks/released_networks.py features --memory        # peak memory alone, sooner

With `--memory` of the blocks of the two large networks (`features`, `image_encoder`, `ss_flow`) all are held
and only the first computes, for one view in place of four: blocks are alike, and views go one by one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from semcorr.cameras import orbit
from semcorr.config.kinds import depth_anything as depth_options
from semcorr.config.kinds import hnsr as hnsr_options
from semcorr.config.kinds import sam as sam_options
from semcorr.config.kinds import slat_states as states_options
from semcorr.config.kinds import trellis_ss as latent_options
from semcorr.datasets.procedural import generate
from semcorr.features import hnsr, slat_states, trellis_ss
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.geometry.voxels import voxelise
from semcorr.networks.backbones import build_backbone
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.networks.trellis.dit import FlowBlock
from semcorr.networks.trellis.loading import CLASSES
from semcorr.networks.trellis.vae import decode_cells
from semcorr.store.memory import MemoryReader

LIMIT_GB = 4.0  # of a whole feature pass on a CPU, in 10^9 bytes
VAE = {"latent_channels": 8, "num_res_blocks": 2, "num_res_blocks_middle": 2, "use_fp16": True}
FLOW = {
    "in_channels": 8,
    "out_channels": 8,
    "model_channels": 1024,
    "cond_channels": 1024,
    "num_blocks": 24,
    "num_heads": 16,
    "mlp_ratio": 4,
    "qk_rms_norm": True,
    "use_fp16": True,
}
SLAT_ENCODER = {
    "resolution": 64,
    "in_channels": 1024,
    "model_channels": 768,
    "latent_channels": 8,
    "num_blocks": 12,
    "num_heads": 12,
    "window_size": 8,
}
# what a directory of weights is called -> class and constructor arguments, as released
TRELLIS = {
    "ss_enc": ("SparseStructureEncoder", VAE | {"in_channels": 1, "channels": [32, 128, 512]}),
    "ss_dec": ("SparseStructureDecoder", VAE | {"out_channels": 1, "channels": [512, 128, 32]}),
    "ss_flow": ("SparseStructureFlowModel", FLOW | {"resolution": 16}),
    "slat_enc": ("SLatEncoder", SLAT_ENCODER),
    "slat_flow": ("SLatFlowModel", FLOW | {"resolution": 64, "io_block_channels": [128]}),
}
# case -> weights that it opens
CASES = {
    "image_encoder": ["dino"],
    "ss_encoder": ["ss_enc"],
    "ss_flow": ["ss_flow"],
    "ss_decoder": ["ss_dec"],
    "slat_encoder": ["slat_enc"],
    "slat_flow": ["slat_flow"],
    "sam": ["sam"],
    "depth_anything": ["depth_anything"],
    "features": ["dino", "ss_flow"],
}
VIEWS = {
    "features": 5,
    "image_encoder": 2,
}  # the first of several conditions nothing; others get one
ITEM = "chair"
PICTURES = {"render": "r", "image_encoder": "w", "backbone": "dinov2_vitl14_reg"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case", help=list(CASES))
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--memory", action="store_true", help="peak memory alone")
    parser.add_argument("--step", choices=["write", "run"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write(name: str, folder: Path) -> None:
    """Write `folder/{name}.json` and its files as a fetched asset has them."""
    description, skipped = None, {}
    with torch.device("meta"):
        if name in TRELLIS:
            kind, args = TRELLIS[name]
            network = CLASSES[kind](**args)
            network.set_dtype(torch.float16)
            description = {"name": kind, "args": args}
        elif name == "dino":
            network = build_backbone("dinov2_vitl14_reg").module
        else:
            from semcorr.networks import transformers_models

            config, kind = transformers_models.CLASSES[name]
            config = config()  # the defaults are the released ViT-B and the small one
            network, skipped = kind(config), getattr(kind, "_tied_weights_keys", None) or {}
            description = json.loads(config.to_json_string(use_diff=False))
    tensors = {k: random_like(v) for k, v in network.state_dict().items() if k not in skipped}
    (folder / name).mkdir()
    if name == "dino":  # the file of the torch hub, read whole and not mapped
        files = ["w.pth"]
        torch.save(tensors, folder / name / files[0])
    else:
        files = ["w.safetensors", "w.json"]
        save_file(tensors, folder / name / files[0])
        (folder / name / files[1]).write_text(json.dumps(description))
    rows = [{"file": file, "sha256": ""} for file in files]
    (folder / f"{name}.json").write_text(json.dumps({"files": rows}))


def random_like(value: torch.Tensor) -> torch.Tensor:
    """Small random values, repeated: time and memory do not depend on them."""
    pool = 0.02 * torch.randn(2**16 + 1, generator=torch.Generator().manual_seed(value.numel()))
    times = -(-value.numel() // len(pool))
    return pool.repeat(times)[: value.numel()].reshape(value.shape).to(value.dtype)


def only_the_first(block: type[torch.nn.Module]) -> None:
    """Let of all blocks of this class only the one that is called first compute; the others pass on."""
    forward, first = block.forward, []

    def forward_first(self, x, *rest, **more):
        first[:] = first or [self]
        return forward(self, x, *rest, **more) if self is first[0] else x

    block.forward = forward_first


def upstream_of(folder: Path, weights: dict[str, str], options: argparse.Namespace) -> Upstream:
    """One chair: mesh, voxels at 64^3, pictures of noise with an outline, random latents."""
    mesh = generate("chair", 1, 0).mesh
    cells = voxelise(mesh.vertices, mesh.faces, 64)
    random = np.random.default_rng(0)
    views = VIEWS.get(options.cases[0], 1)
    views = min(views, 2) if options.memory else views
    rgba = random.integers(0, 255, (views, 512, 512, 4), dtype=np.uint8)
    rgba[..., 3] = 0
    rgba[:, 60:440, 150:370, 3] = 255
    cameras = orbit(views, 2.0, 40.0, 512)
    depth = np.where(rgba[..., 3] > 0, random.uniform(1, 3, rgba.shape[:3]), 0)
    pictures = {
        "rgba": rgba,
        "depth": depth.astype(np.float32),
        "cam_from_world": cameras.cam_from_world,
        "intrinsics": cameras.intrinsics,
    }
    grid = random.standard_normal((1, 8, 16, 16, 16), dtype=np.float32)
    rows = random.standard_normal((len(cells), 8), dtype=np.float32)
    sparse = {"cells": cells, "latents": rows, "resolution": np.array([64], np.int32)}
    return Upstream(
        meshes=MemoryReader({ITEM: to_arrays(mesh, np.eye(4), 0, ITEM)}),
        renders=MemoryReader({ITEM: pictures}),
        voxels=MemoryReader(
            {ITEM: {"cells": cells, "cell_counts": np.array([len(cells)], np.int32)}},
            {"cfg": {"resolution": 64}},
        ),
        latents=MemoryReader(
            {ITEM: sparse if "slat_flow" in weights.values() else {"latents": grid}}
        ),
        weights={field: folder / f"{name}.json" for field, name in weights.items()},
        precision=options.precision,
        device="cpu",
    )


def opened(case: str, asked: argparse.Namespace, stack: ExitStack) -> Callable[[], object]:
    """Open what a case needs; return its pass over the item."""

    def up(**weights: str) -> Upstream:
        return upstream_of(asked.folder, weights, asked)

    def of(module, options, upstream):
        compute = stack.enter_context(module.extractor(options, upstream))
        return lambda: compute(ITEM)

    state = {"latent": "l", "weights": "w"}
    if case == "features":
        options = hnsr_options.Options(kind="hnsr", **state, **PICTURES)
        return of(hnsr, options, up(weights="ss_flow", image_encoder="dino"))
    if case == "ss_flow":
        options = hnsr_options.Options(kind="hnsr", guidance=-1, **state)
        return of(hnsr, options, up(weights="ss_flow"))
    if case == "slat_flow":
        options = states_options.Options(kind="slat_states", guidance=-1, **state)
        return of(slat_states, options, up(weights="slat_flow"))
    if case == "ss_encoder":
        options = latent_options.Options(kind="trellis_ss", voxel="v", weights="w")
        return of(trellis_ss, options, up(weights="ss_enc"))
    if case == "sam":
        from semcorr.imaging import sam

        return of(sam, sam_options.Options(kind="sam", render="r", weights="w"), up(weights="sam"))
    if case == "depth_anything":
        from semcorr.imaging import depth_anything

        options = depth_options.Options(kind="depth_anything", render="r", weights="w")
        return of(depth_anything, options, up(weights="depth_anything"))
    return opened_alone(case, up)


def opened_alone(case: str, up: Callable[..., Upstream]) -> Callable[[], object]:
    """Networks that a job opens beside others, alone."""
    if case == "image_encoder":
        options = hnsr_options.Options(kind="hnsr", latent="l", weights="w", **PICTURES)
        conditions_of = hnsr.condition_path(options, up(image_encoder="dino"))
        return lambda: conditions_of(ITEM)
    if case == "ss_decoder":
        upstream = up(weights="ss_dec")
        decoder = open_network(
            "SparseStructureDecoder", upstream.weights["weights"], upstream, False
        )
        latent = torch.from_numpy(upstream.latents.read(ITEM)["latents"])
        return lambda: decode_cells(decoder, latent)
    upstream = up(weights="slat_enc")
    encoder = open_network("SLatEncoder", upstream.weights["weights"], upstream, False)
    cells = upstream.voxels.read(ITEM)["cells"]
    rows = torch.randn(len(cells), 1024, generator=torch.Generator().manual_seed(0))
    return torch.inference_mode()(lambda: encoder(rows, one_shape(cells)).mean)


def run(case: str, asked: argparse.Namespace) -> None:
    """Measure one case in this process; the last line printed is its record."""
    if asked.memory:
        with torch.device("meta"):
            vit = build_backbone("dinov2_vitl14_reg").module
        only_the_first(FlowBlock)
        only_the_first(type(vit.blocks[0]))
    with ExitStack() as stack:
        start = time.process_time()
        compute = opened(case, asked, stack)
        middle = time.process_time()
        compute()
        end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts KiB
    print(json.dumps({"open_s": middle - start, "pass_s": end - middle, "peak_gb": peak}))


def child(step: str, name: str, folder: Path) -> str:
    """Run one step in a process of its own, on one thread; return what it prints."""
    extra = [word for word in sys.argv[1:] if word not in CASES]
    command = [sys.executable, __file__, name, *extra, "--step", step, "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return done.stdout


def measured(case: str) -> dict[str, float]:
    """Write the weights of a case and measure it; the writing process's memory does not count."""
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES[case]:
            child("write", name, Path(folder))
        return json.loads(child("run", case, Path(folder)).splitlines()[-1])


def main() -> None:
    asked = parse()
    if asked.step == "write":
        write(asked.cases[0], asked.folder)
        return
    if asked.step == "run":
        run(asked.cases[0], asked)
        return
    for case in asked.cases:
        record = measured(case)
        if asked.memory:
            record = {"peak_gb": record["peak_gb"]}
        print(case, asked.precision, *(f"{k} {v:.2f}" for k, v in record.items()), flush=True)
        if case == "features":
            assert record["peak_gb"] < LIMIT_GB, f"features: more than {LIMIT_GB} GB"


if __name__ == "__main__":
    main()
