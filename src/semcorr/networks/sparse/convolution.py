"""Submanifold convolution: 3^3 taps, evaluated at occupied voxels only."""

import functools
import importlib.util
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.networks.sparse.voxel_set import CENTRE, KERNEL, Pairs, VoxelSet

_TABLE = "submanifold"


class _Submanifold(torch.autograd.Function):
    """27 gathers and matrix products; nothing gathered is kept for the way back."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, neighbours: tuple[Pairs, ...]):
        ctx.save_for_backward(features, weight)
        ctx.neighbours = neighbours
        taps = _taps(weight)
        # 27 roundings of a sum in half precision would be felt
        total = (features @ taps[CENTRE]).to(_sum_type(features))
        for tap, pairs in _others(neighbours):
            part = features[pairs.seen] @ taps[tap]
            total.index_add_(0, pairs.seeing, part.to(total.dtype))
        return total.to(features.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        features, weight = ctx.saved_tensors
        taps = _taps(weight)
        for_features = for_weight = None
        if ctx.needs_input_grad[0]:
            total = (gradient @ taps[CENTRE].T).to(_sum_type(features))
            for tap, pairs in _others(ctx.neighbours):
                part = gradient[pairs.seeing] @ taps[tap].T
                total.index_add_(0, pairs.seen, part.to(total.dtype))
            for_features = total.to(features.dtype)
        if ctx.needs_input_grad[1]:
            rows = [gradient[p.seeing].T @ features[p.seen] for p in ctx.neighbours]
            for_weight = torch.stack(rows, dim=1).view_as(weight)
        return for_features, for_weight, None


def _taps(weight: Float[Tensor, "o 3 3 3 i"]) -> Float[Tensor, "27 i o"]:
    return weight.flatten(1, 3).permute(1, 2, 0)


def _others(neighbours: tuple[Pairs, ...]):
    """All taps but the centre, which reads every voxel itself, with pairs."""
    return ((t, p) for t, p in enumerate(neighbours) if t != CENTRE and len(p.seen))


def _sum_type(features: Tensor) -> torch.dtype:
    return torch.promote_types(features.dtype, torch.float32)


def submanifold_conv(
    features: Float[Tensor, "n i"],
    voxels: VoxelSet,
    weight: Float[Tensor, "o 3 3 3 i"],
    bias: Float[Tensor, " o"] | None = None,
    backend: str = "auto",
) -> Float[Tensor, "n o"]:
    """Convolve at the occupied voxels: a dense convolution with zeros at the others, read there.

    Args:
        features: rows of `voxels`.
        voxels: occupied voxels.
        weight: (out, kx, ky, kz, in), the layout of released files; a dense Conv3d's weight
            permuted (0, 2, 3, 4, 1).
        bias: added at every voxel.
        backend: `own`, `spconv` (CUDA only: on the CPU its sums race between threads), or `auto`:
            spconv for features on a CUDA device where it is installed, own otherwise.

    Returns:
        Features of the same rows; gradients go to features, weight and bias.

    Raises:
        ValueError: shapes or types that do not fit, or spconv where it must not run.
    """
    _check(features, voxels, weight, bias)
    if _backend(backend, features) == "spconv":
        return _convolve_with_spconv(features, voxels, weight, bias)
    out = _Submanifold.apply(features, weight, voxels.neighbours)
    return out if bias is None else out + bias


def _check(features: Tensor, voxels: VoxelSet, weight: Tensor, bias: Tensor | None) -> None:
    if weight.ndim != 5 or tuple(weight.shape[1:4]) != (KERNEL,) * 3:
        raise ValueError(f"weight: expected (out, 3, 3, 3, in), got {tuple(weight.shape)}")
    if tuple(features.shape) != (len(voxels), weight.shape[4]):
        raise ValueError(
            f"features: expected ({len(voxels)}, {weight.shape[4]}), got {tuple(features.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (len(weight),):
        raise ValueError(f"bias: expected ({len(weight)},), got {tuple(bias.shape)}")
    if features.dtype != weight.dtype:
        raise ValueError(f"features are {features.dtype}, the weight is {weight.dtype}")


def _backend(choice: str, features: Tensor) -> str:
    if choice not in ("auto", "own", "spconv"):
        raise ValueError(f"backend: unknown value {choice!r}, use auto, own or spconv")
    if choice == "spconv" and not features.is_cuda:
        raise ValueError("backend: spconv runs on CUDA only, use own")
    if choice != "auto":
        return choice
    return "spconv" if features.is_cuda and importlib.util.find_spec("spconv") else "own"


def _convolve_with_spconv(
    features: Tensor, voxels: VoxelSet, weight: Tensor, bias: Tensor | None
) -> Tensor:
    import spconv.pytorch as spconv

    tensor = spconv.SparseConvTensor(
        features, voxels.coords.int(), list(voxels.extent), voxels.batches
    )
    # Tables made outside of training lack what gradients need
    training = torch.is_grad_enabled()
    tables = voxels.foreign_tables.setdefault(f"spconv, training {training}", {})
    tensor.indice_dict = tables
    layer = _spconv_layer(weight.shape[4], len(weight)).train(training)
    result = torch.func.functional_call(layer, {"weight": weight}, (tensor,))
    tables.update(result.indice_dict)
    out = result.features
    return out if bias is None else out + bias


@functools.cache
def _spconv_layer(channels: int, out_channels: int) -> nn.Module:
    """Layer whose weight is replaced at every call."""
    import spconv.pytorch as spconv

    with torch.random.fork_rng(devices=()):
        return spconv.SubMConv3d(channels, out_channels, KERNEL, bias=False, indice_key=_TABLE)


class SubmanifoldConv3d(nn.Module):
    """3^3 submanifold convolution with bias.

    Args:
        channels: of the features.
        out_channels: of the result.
    """

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, KERNEL, KERNEL, KERNEL, channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        bound = (KERNEL**3 * channels) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Float[Tensor, "n i"], voxels: VoxelSet) -> Float[Tensor, "n o"]:
        """Convolve at the occupied voxels."""
        return submanifold_conv(x, voxels, self.weight, self.bias)
