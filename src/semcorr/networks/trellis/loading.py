"""Building the TRELLIS networks from their released containers, or untrained."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semcorr.errors import UserError
from semcorr.networks.attention import Backend, resolve_backend
from semcorr.networks.checkpoints import load_strict, read_tensors
from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.slat_encoder import SLatEncoder
from semcorr.networks.trellis.slat_flow import SLatFlowModel
from semcorr.networks.trellis.vae import SparseStructureDecoder, SparseStructureEncoder

FLOWS: dict[str, type[nn.Module]] = {
    cls.__name__: cls for cls in (SparseStructureFlowModel, SLatFlowModel)
}
CLASSES: dict[str, type[nn.Module]] = {
    cls.__name__: cls for cls in (SparseStructureEncoder, SparseStructureDecoder, SLatEncoder)
} | FLOWS
_BLOCK = re.compile(r"blocks\.(\d+)\.")


@dataclass(frozen=True)
class Placement:
    """Where and how a network computes.

    Attributes:
        device: torch device.
        dtype: type of the torso; float32 is exact, bfloat16 and float16 are for GPUs.
        attention: `auto`, `sdpa` or `xformers`.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    attention: Backend = "auto"


def network_from(
    name: str,
    args: Mapping[str, Any],
    path: str | Path,
    blocks: int | None = None,
    placement: Placement | None = None,
) -> nn.Module:
    """Load one network from the file of its tensors.

    Args:
        name: class, e.g. "SparseStructureFlowModel".
        args: its constructor arguments.
        path: weights file.
        blocks: of a flow network, load only so many first blocks (no velocity then).
        placement: where it computes; the CPU in float32 by default.

    Returns:
        The network, in evaluation mode, without gradients.

    Raises:
        UserError: unknown class or arguments, a missing or unexpected key, a wrong shape; the message
            names the file and the key.
    """
    placement = placement or Placement()
    backend = resolve_backend(placement.attention, placement.device)
    depth = args.get("num_blocks")
    keep = None
    if blocks is not None and name in FLOWS and depth and blocks < depth:
        args = {**args, "num_blocks": blocks}
        keep = _first_blocks(blocks, depth)
    with torch.device("meta"):
        network = _construct(name, args, path)
    network = load_strict(network, read_tensors(path, keep), path)
    if keep is not None:
        network.whole = False
    if placement.dtype != torch.float32:
        network.set_dtype(placement.dtype)
    if name in FLOWS:
        network.set_attention(backend)
    return network.to(placement.device).requires_grad_(False)


def _first_blocks(blocks: int, depth: int):
    """Skip the blocks blocks..depth-1; keys of blocks that cannot exist stay, to be refused."""

    def keep(key: str) -> bool:
        match = _BLOCK.match(key)
        return match is None or not blocks <= int(match.group(1)) < depth

    return keep


def _construct(name: str, args: Mapping[str, Any], source: str | Path) -> nn.Module:
    if name not in CLASSES:
        raise UserError(f"{source}: unknown class {name!r}, known: {', '.join(CLASSES)}")
    try:
        return CLASSES[name](**args)
    except TypeError as error:
        raise UserError(f"{source}: constructor arguments do not fit {name} ({error})") from error


def untrained_network(name: str, args: Mapping[str, Any], seed: int) -> nn.Module:
    """Build a network with seeded random weights, every branch active: the untrained control.

    Args:
        name: class name.
        args: constructor arguments.
        seed: decides all weights; the global generator is left as it was.

    Returns:
        The network, float32, on the CPU, in evaluation mode.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = _construct(name, args, name)
    reinitialise_zero_layers(network, seed)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def reinitialise_zero_layers(network: nn.Module, seed: int, std: float = 0.1) -> list[str]:
    """Give every parameter that starts as all zeros seeded normal values.

    The published initialisation zeroes modulation, output layers and second convolutions: attention
    and perceptrons of a fresh network then contribute nothing, and a comparison says nothing.

    Args:
        network: freshly constructed.
        seed: of the values.
        std: standard deviation.

    Returns:
        Names of the parameters that were set.
    """
    generator = torch.Generator().manual_seed(seed)
    changed = []
    for key, value in network.named_parameters():
        if not value.any():
            value.copy_(std * torch.randn(value.shape, generator=generator))
            changed.append(key)
    return changed
