"""Opening the networks that a variant names, trained or as untrained control."""

from pathlib import Path

import torch
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.features.upstream import Upstream
from semcorr.networks.backbones import Backbone, load_backbone
from semcorr.networks.trellis.loading import Placement, network_from, untrained_network
from semcorr.networks.weight_files import weight_files
from semcorr.seeds import seed_of

# Their sums over many values would lose what bfloat16 rounds away
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def device_of(choice: str) -> str:
    """Return the torch device of `auto | cpu | cuda`; raise UserError when CUDA is not there."""
    if choice == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda, but no CUDA device is available here; set `device: auto`")
    return "cuda" if choice == "cuda" or (choice == "auto" and torch.cuda.is_available()) else "cpu"


def open_network(
    expect: str, manifest: Path, upstream: Upstream, untrained: bool, blocks: int | None = None
) -> nn.Module:
    """Load a released or trained TRELLIS network, or build its untrained control.

    Args:
        expect: class name, e.g. "SparseStructureFlowModel".
        manifest: small JSON of the weights.
        upstream: device, precision, attention, seed.
        untrained: same class and sizes, seeded random weights instead.
        blocks: of a flow network, only the first ones.
    """
    torch.set_num_threads(upstream.threads)
    files = weight_files(manifest)
    name, args = files.description.get("name"), files.description.get("args", {})
    if name != expect:
        raise UserError(f"{manifest}: holds a {name}, a {expect} is needed")
    device = device_of(upstream.device)
    if untrained:
        seed = seed_of(upstream.seed, "untrained", expect)
        return untrained_network(name, args, seed).to(device)
    placement = Placement(device, TYPES[upstream.precision], upstream.attention)
    return network_from(name, args, files.path, blocks, placement)


def open_backbone(name: str, manifest: Path, upstream: Upstream) -> Backbone:
    """Load an image network of the registry; with `precision: bf16` it computes in bfloat16."""
    torch.set_num_threads(upstream.threads)
    files = weight_files(manifest)
    overrides = files.description.get("args") or None
    backbone = load_backbone(name, files.path, device_of(upstream.device), overrides)
    if TYPES[upstream.precision] != torch.float32:
        compute_in(backbone.module, TYPES[upstream.precision])
    return backbone


def compute_in(network: nn.Module, dtype: torch.dtype) -> None:
    """Let linear and convolution layers and attention of a network compute in another type.

    Weights stay as they are and are rounded where they are used; norms get and give float32.

    Args:
        network: of any kind, in float32; changed in place.
        dtype: bfloat16 or float16.
    """

    def in_float32(_norm: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.float() for value in inputs)

    for module in network.modules():
        if isinstance(module, NORMS):
            module.register_forward_pre_hook(in_float32)
    device = next(network.parameters()).device.type
    network.forward = torch.autocast(device, dtype)(network.forward)
