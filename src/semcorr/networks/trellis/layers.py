"""Layers shared by the sparse-structure networks: norms that always compute in float32."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class LayerNorm32(nn.LayerNorm):
    """LayerNorm over the last axis, computed in float32 whatever the type of its input."""

    def forward(self, x: Float[Tensor, "... c"]) -> Float[Tensor, "... c"]:
        """Normalise and return in the input's type."""
        weight = None if self.weight is None else self.weight.float()
        bias = None if self.bias is None else self.bias.float()
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class ChannelLayerNorm32(LayerNorm32):
    """LayerNorm over the channels of every voxel of a channels-first grid."""

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b c x y z"]:
        """Normalise and return in the input's type."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1).contiguous()


class MultiHeadRMSNorm(nn.Module):
    """x / ||x||_2 * gamma * sqrt(d) per head, in float32 (HNSR section 3.3)."""

    def __init__(self, head_channels: int, heads: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(heads, head_channels))

    def forward(self, x: Float[Tensor, "b n h d"]) -> Float[Tensor, "b n h d"]:
        """Normalise and return in the input's type."""
        scale = self.gamma.float() * self.gamma.shape[-1] ** 0.5
        return (F.normalize(x.float(), dim=-1) * scale).to(x.dtype)


def set_torso_dtype(torso: nn.Module, dtype: torch.dtype) -> None:
    """Cast the linear and convolution layers of a torso; norms keep float32 (HNSR section 3.3).

    Args:
        torso: blocks of a network.
        dtype: float32, bfloat16 or float16.
    """
    for module in torso.modules():
        if isinstance(module, nn.Linear | nn.Conv3d):
            module.to(dtype)


def torso_dtype(torso: nn.Module) -> torch.dtype:
    """Type in which the linear and convolution layers of a torso compute."""
    for module in torso.modules():
        if isinstance(module, nn.Linear | nn.Conv3d):
            return module.weight.dtype
    return torch.float32


def zero(module: nn.Module) -> nn.Module:
    """Set all parameters of a freshly made layer to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
