"""Image networks behind one registry: construction, loading, feature maps.

The entries of the registry are the modules of `semcorr.networks.zoo`, found by their names; only the variants
that name an entry have its module in their code.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.networks import zoo
from semcorr.networks.backbone_spec import BackboneSpec, Preprocessing
from semcorr.networks.checkpoints import load_strict, read_tensors
from semcorr.networks.dino import DinoViT, to_hub_layout
from semcorr.networks.timm_models import create

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Preprocessing",
    "build_backbone",
    "extract",
    "get_spec",
    "list_backbones",
    "load_backbone",
    "prepare",
]


@dataclass(frozen=True)
class Backbone:
    """A network with its entry.

    Attributes:
        spec: what it is.
        module: in evaluation mode, without gradients.
    """

    spec: BackboneSpec
    module: nn.Module

    @property
    def layers(self) -> tuple[str, ...]:
        """Names that `extract` accepts."""
        if self.spec.family == "vit":
            return (*(f"block.{i}" for i in range(len(self.module.blocks))), "norm")
        return tuple(name for name, _ in self.module.named_modules() if name)


def list_backbones() -> tuple[str, ...]:
    """Names of all registered networks, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(zoo.__path__)))


def get_spec(name: str) -> BackboneSpec:
    """Entry of one network.

    Raises:
        UserError: no such name; the message lists the known ones.
    """
    if name not in list_backbones():
        raise UserError(f"unknown backbone {name!r}, known: {', '.join(list_backbones())}")
    return importlib.import_module(f"{zoo.__name__}.{name}").SPEC


def build_backbone(
    name: str, overrides: Mapping[str, Any] | None = None, seed: int | None = None
) -> Backbone:
    """Construct a network with fresh weights, for training and for untrained controls.

    Args:
        name: registry name.
        overrides: timm constructor arguments that replace the entry's (embed_dim, depth ...).
        seed: of the weights; the global generator is left as it was. None: drawn from it.

    Returns:
        The network in evaluation mode, with gradients enabled.
    """
    spec = get_spec(name)
    kwargs = {**spec.timm_kwargs, **(overrides or {})}
    with torch.random.fork_rng(devices=(), enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        if spec.family == "vit":
            module: nn.Module = DinoViT(spec.timm_name, spec.positions, **kwargs)
        else:
            module = create(spec.timm_name, **kwargs)
    return Backbone(spec, module.eval())


def load_backbone(
    name: str,
    weights: str | Path,
    device: str = "cpu",
    overrides: Mapping[str, Any] | None = None,
) -> Backbone:
    """Construct a network and load its weights strictly.

    Args:
        name: registry name.
        weights: safetensors or a plain torch file; ViTs in the torch-hub or in timm's layout.
        device: torch device.
        overrides: see `build_backbone`.

    Returns:
        The network, float32, without gradients.

    Raises:
        UserError: unknown name, unreadable file, missing or unexpected key, wrong shape.
    """
    with torch.device("meta"):  # no time for random weights that are replaced at once
        backbone = build_backbone(name, overrides)
    tensors = read_tensors(weights)
    if backbone.spec.family == "vit":
        tensors = to_hub_layout(tensors)
    load_strict(backbone.module, tensors, weights)
    backbone.module.to(device).requires_grad_(False)
    return backbone


def prepare(
    spec: BackboneSpec, pictures: Num[Tensor | np.ndarray, "b h w 3"], size: int | None = None
) -> Float[Tensor, "b 3 s s"]:
    """Resize and normalise pictures for a network.

    Args:
        spec: entry of the network.
        pictures: RGB, uint8 0..255 or floating 0..1.
        size: side after resizing, pixels; None keeps the pictures' size.

    Returns:
        Normalised float32 pictures.

    Raises:
        UserError: a side that the network does not accept.
    """
    images = torch.as_tensor(pictures)
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"pictures: expected (b, h, w, 3), got {tuple(images.shape)}")
    images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    images = images.permute(0, 3, 1, 2)
    rule = spec.preprocessing
    target = (size, size) if size else tuple(images.shape[2:])
    wrong = [side for side in target if side % rule.size_multiple != rule.size_offset]
    if wrong:
        steps = (wrong[0] - rule.size_offset) // rule.size_multiple
        lower = steps * rule.size_multiple + rule.size_offset
        raise UserError(
            f"{spec.name}: size {wrong[0]} does not fit, "
            f"use {lower} or {lower + rule.size_multiple}"
        )
    if tuple(images.shape[2:]) != target:
        images = F.interpolate(images, target, mode=rule.interpolation, antialias=True).clamp(0, 1)
    mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (rule.mean, rule.std))
    return (images - mean) / std


def last_map(backbone: Backbone, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Last feature map of normalised pictures, with gradients: what a training works on.

    Returns:
        The normed patch tokens of a ViT (`norm` of `extract`), the map before pooling of a CNN.
    """
    if backbone.spec.family == "vit":
        tokens = backbone.module(images)
        return tokens.patches(backbone.module.norm(tokens.prenorm))
    return backbone.module.forward_features(images)


@torch.inference_mode()
def extract(
    backbone: Backbone,
    pictures: Num[Tensor | np.ndarray, "b h w 3"],
    layers: Iterable[str],
    size: int | None = None,
) -> dict[str, Float[Tensor, "b c h w"]]:
    """Feature maps of named layers.

    Args:
        backbone: network.
        pictures: RGB, uint8 0..255 or floating 0..1.
        layers: of a ViT `block.<i>` (0-based, before the final norm) or `norm` (last block,
            normed), patch tokens only; of a CNN any module's name, e.g. `blocks.5.1.bn2`.
        size: side after resizing, pixels; None keeps the pictures' size.

    Returns:
        Layer -> (b, c, h', w') float32 on the CPU, in the order asked for.

    Raises:
        UserError: a layer or a size that the network does not have.
    """
    layers = tuple(layers)
    known = backbone.layers
    for layer in layers:
        if layer not in known:
            near = difflib.get_close_matches(layer, known, n=3) or known[-3:]
            raise UserError(
                f"{backbone.spec.name} has no layer {layer!r}; there is e.g. {', '.join(near)}"
            )
    device = next(backbone.module.parameters()).device
    images = prepare(backbone.spec, pictures, size).to(device)
    maps = (_vit_maps if backbone.spec.family == "vit" else _cnn_maps)(
        backbone.module, images, layers
    )
    return {layer: maps[layer].float().cpu() for layer in layers}


def _vit_maps(vit: DinoViT, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    taps = [int(layer.removeprefix("block.")) for layer in layers if layer != "norm"]
    tokens = vit(images, taps, stop="norm" not in layers)
    maps = {f"block.{index}": tokens.patches(value) for index, value in tokens.blocks.items()}
    if "norm" in layers:
        maps["norm"] = tokens.patches(vit.norm(tokens.prenorm))
    return maps


class _AllSeen(Exception):
    """Leaves a forward pass once every wanted layer has run."""


def _cnn_maps(module: nn.Module, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    maps: dict[str, Tensor] = {}
    modules = dict(module.named_modules())

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            maps[name] = output.clone()  # a following in-place activation must not change it
            if len(maps) == len(set(layers)):
                raise _AllSeen

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in set(layers)]
    try:
        module(images)
    except _AllSeen:
        pass
    finally:
        for handle in handles:
            handle.remove()
    missing = [name for name in layers if name not in maps or maps[name].ndim != 4]
    if missing:
        raise UserError(f"layer {missing[0]!r} gives no feature map of shape (b, c, h, w)")
    return maps
