"""Opening the image network that a variant names."""

from pathlib import Path

import torch
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.features.networks import TYPES
from semcorr.features.upstream import Upstream
from semcorr.networks.backbones import Backbone, load_backbone
from semcorr.networks.devices import device_of
from semcorr.networks.weight_files import weight_files

# Their sums over many values would lose what bfloat16 rounds away
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def open_backbone(name: str, manifest: Path, upstream: Upstream) -> Backbone:
    """Load an image network of the registry; with `precision: bf16` it computes in bfloat16.

    Args:
        name: registry name.
        manifest: small JSON of the weights.
        upstream: device, threads.

    Raises:
        UserError: the weights were trained for another network; see also `load_backbone`.
    """
    torch.set_num_threads(upstream.threads)
    files = weight_files(manifest)
    overrides = dict(files.description.get("args", {}))
    trained = overrides.pop("backbone", name)
    if trained != name:
        raise UserError(f"{manifest}: holds weights of {trained}, set backbone: {trained}")
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
