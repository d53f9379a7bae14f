"""Cases of the structured-latent networks.

As in `nsr_networks`: selection and reshaping, nothing else. What is inside of a network is seen by
hooks on its layers.
"""

import re
from pathlib import Path

import numpy as np
import torch
from adapters.case_files import every, read_case

from semcorr.networks.checkpoints import load_strict, read_tensors
from semcorr.networks.sparse import attention
from semcorr.networks.sparse.voxel_set import VoxelSet, pool_to_parents
from semcorr.networks.trellis import loading, slat_blocks


def _voxels(inputs: dict[str, np.ndarray]) -> VoxelSet:
    return VoxelSet(torch.from_numpy(inputs["coords"]))


def _loaded(block: torch.nn.Module, path: Path) -> torch.nn.Module:
    return load_strict(block, read_tensors(path), path)


def _seen(layer: torch.nn.Module, name: str, seen: dict[str, torch.Tensor]) -> None:
    """Keep the first input and the output of a layer."""

    def keep(_layer, inputs, output):
        seen[f"{name}_input"], seen[f"{name}_output"] = inputs[0], output

    layer.register_forward_hook(keep)


@torch.inference_mode()
def case_slat_blocks(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    config, voxels = case["config"], _voxels(inputs)
    narrow, wide, emb_width = config["c0"], config["c1"], config["ce"]
    feats, emb, windowed = (
        torch.from_numpy(inputs[name]).float() for name in ("feats", "emb", "feats_window")
    )
    blocks = {
        "plain": slat_blocks.SparseResBlock(narrow, emb_width),
        "down": slat_blocks.SparseResBlock(narrow, emb_width, wide, "down"),
        "up": slat_blocks.SparseResBlock(2 * wide, emb_width, narrow, "up"),
        "window": slat_blocks.SparseTransformerBlock(config["cw"], config["hw"]),
        "window_shifted": slat_blocks.SparseTransformerBlock(config["cw"], config["hw"]),
    }
    for name, block in blocks.items():
        _loaded(block, case_dir / f"weights_{name}.safetensors")
    found: dict[str, torch.Tensor] = {}
    _seen(blocks["plain"].conv1, "conv", found)
    found["plain_out"] = blocks["plain"](feats, voxels, emb)
    found["pooled"] = pool_to_parents(found["plain_out"], voxels.halved)
    down = found["down_out"] = blocks["down"](found["plain_out"], voxels, emb)
    # the case gives the block the same rows a second time, the last first
    found["up_out"] = blocks["up"](torch.cat([down, down.flip(0)], dim=1), voxels, emb)
    found["down_coords"] = voxels.halved.coarse.coords
    found["down_children"] = voxels.halved.children
    for name, shift in (("window", 0), ("window_shifted", config["win"] // 2)):
        ids = attention.window_ids(voxels, config["win"], shift)
        found[f"window_group_shift{shift}"] = ids
        found[f"{name}_out"] = blocks[name](windowed, attention.groups_of(ids))
    arrays = {}
    for name in case["expected"]:
        rows = found[name.removesuffix("_strided")].numpy()
        arrays[name] = every(rows, case, name) if name.endswith("_strided") else rows
    return arrays


@torch.inference_mode()
def case_slat_encoder(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    path = case_dir / "weights.safetensors"
    encoder = loading.network_from("SLatEncoder", case["config"], path)
    feats = torch.from_numpy(inputs["feats"]).float()
    found = encoder(feats, _voxels(inputs), taps=range(case["config"]["num_blocks"]))
    arrays = {"mean": found.mean.numpy(), "logvar": found.logvar.numpy()}
    for name in case["expected"]:
        if match := re.fullmatch(r"hidden_after_block_(\d+)_strided\d*", name):
            arrays[name] = every(found.hidden[int(match.group(1))].numpy(), case, name)
    return arrays


@torch.inference_mode()
def case_slat_flow(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    path = case_dir / "weights.safetensors"
    model = loading.network_from("SLatFlowModel", case["config"], path)
    seen: dict[str, torch.Tensor] = {}
    for kind in ("input", "out"):
        for index, block in enumerate(model.get_submodule(f"{kind}_blocks")):
            _seen(block, f"{kind}_block_{index}", seen)
    feats, t, cond = (torch.from_numpy(inputs[name]).float() for name in ("feats", "t", "cond"))
    found = model(feats, _voxels(inputs), t, cond, taps=range(case["config"]["num_blocks"]))
    arrays = {"velocity": found.velocity.numpy(), "coords_32": found.tokens.coords.numpy()}
    for name in case["expected"]:
        if match := re.fullmatch(r"((?:input_|out_|)block)_(\d+)_strided\d*", name):
            kind, index = match.groups()
            rows = (
                found.hidden[int(index)][0] if kind == "block" else seen[f"{kind}_{index}_output"]
            )
            arrays[name] = every(rows.numpy(), case, name)
    return arrays
