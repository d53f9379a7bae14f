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

# class -> (key of the configuration that names its weights, what that may name)
NAMED_BY = {
    "SparseStructureEncoder": ("weights", "trellis_ss_enc, or a model of kind ss_vae"),
    "SparseStructureDecoder": ("decoder", "trellis_ss_dec, or a model of kind ss_vae"),
    "SparseStructureFlowModel": ("weights", "trellis_ss_flow_img, or a model of kind ss_flow"),
    "SLatEncoder": ("weights", "trellis_slat_enc"),
    "SLatFlowModel": ("weights", "trellis_slat_flow_img"),
}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def open_network(
    expect: str, manifest: Path, upstream: Upstream, untrained: bool, blocks: int | None = None
) -> nn.Module:
    """Load a released or trained TRELLIS network, or build its untrained control.

    Args:
        expect: class name, e.g. "SparseStructureFlowModel".
        manifest: small JSON of the weights; the decoder lies beside the encoder of its training.
        upstream: device, precision, attention, seed.
        untrained: same class and sizes, seeded random weights instead.
        blocks: of a flow network, only the first ones.
    """
    torch.set_num_threads(upstream.threads)
    files = weight_files(manifest)
    parts = [files.description | {"file": files.path.name}, *files.description.get("others", [])]
    part = next((p for p in parts if p.get("name") == expect), None)
    if part is None:
        key, wanted = NAMED_BY[expect]
        held = parts[0].get("name", "network of another family")
        raise UserError(f"{key}: {manifest} holds a {held}, a {expect} is needed: name {wanted}")
    args, path = part.get("args", {}), files.path.with_name(part["file"])
    device = device_of(upstream.device)
    if untrained:
        seed = seed_of(upstream.seed, "untrained", expect)
        return untrained_network(expect, args, seed).to(device)
    if not path.is_file():
        raise UserError(
            f"{manifest}: the {expect} of its training, {path.name}, was not shipped; name a model"
            " that you train, or trellis_ss_dec"
        )
    placement = Placement(device, TYPES[upstream.precision], upstream.attention)
    return network_from(expect, args, path, blocks, placement)
