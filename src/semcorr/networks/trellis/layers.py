"""Layers shared by the TRELLIS networks: norms that always compute in float32, codes of places."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor, nn

from semcorr.networks.sparse.convolution import SubmanifoldConv3d

_TORSO = (nn.Linear, nn.Conv3d, SubmanifoldConv3d)


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
        if isinstance(module, _TORSO):
            module.to(dtype)


def torso_dtype(torso: nn.Module) -> torch.dtype:
    """Type in which the linear and convolution layers of a torso compute."""
    for module in torso.modules():
        if isinstance(module, _TORSO):
            return module.weight.dtype
    return torch.float32


def zero(module: nn.Module) -> nn.Module:
    """Set all parameters of a freshly made layer to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def position_code_at(cells: Num[Tensor, "n 3"], channels: int) -> Float[Tensor, "n c"]:
    """Sine-cosine code of cells, zero-padded to `channels` (HNSR section 3.3, step 2).

    Args:
        cells: indices (x, y, z).
        channels: width; freq = channels // 6 frequencies per coordinate.

    Returns:
        (n, channels) float32: per coordinate all sines, then all cosines.
    """
    count = channels // 3 // 2
    index = torch.arange(count, dtype=torch.float32, device=cells.device)
    frequencies = 1.0 / 10000 ** (index / count)
    phase = cells.float()[:, :, None] * frequencies
    code = torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(1)
    return F.pad(code, (0, channels - code.shape[1]))
