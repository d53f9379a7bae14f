"""Opening the TRELLIS networks that a variant names, trained or as untrained control."""

from pathlib import Path

import torch
from torch import nn

from semcorr.errors import UserError
from semcorr.features.upstream import Upstream
from semcorr.networks.devices import device_of
from semcorr.networks.trellis.loading import Placement, network_from, untrained_network
from semcorr.networks.weight_files import weight_files
from semcorr.seeds import seed_of

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


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
