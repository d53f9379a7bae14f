"""Blocks of the structured-latent networks, on occupied voxels (HNSR section 3.6)."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.networks.sparse.attention import Groups, attend_in_groups
from semcorr.networks.sparse.convolution import SubmanifoldConv3d
from semcorr.networks.sparse.voxel_set import VoxelSet, copy_to_children, pool_to_parents
from semcorr.networks.trellis.dit import FeedForward
from semcorr.networks.trellis.layers import LayerNorm32, zero

NORM_EPS = 1e-6


class SparseConv3d(nn.Module):
    """Holds a convolution one name deeper, as released keys have it (`conv1.conv.weight`)."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.conv = SubmanifoldConv3d(channels, out_channels)

    def forward(self, x: Float[Tensor, "n i"], voxels: VoxelSet) -> Float[Tensor, "n o"]:
        """Convolve at the occupied voxels."""
        return self.conv(x, voxels)


class SparseResBlock(nn.Module):
    """Change of resolution, then two convolutions, the second under scale and shift of an embedding.

    Args:
        channels: of the input.
        emb_channels: of the embedding.
        out_channels: of the result; as the input's by default.
        resample: `down`: work on the voxels of the grid half as fine; `up`: the input is on those,
            work on the fine ones.
    """

    def __init__(
        self,
        channels: int,
        emb_channels: int,
        out_channels: int | None = None,
        resample: Literal["none", "down", "up"] = "none",
    ):
        super().__init__()
        out_channels = out_channels or channels
        self.resample = resample
        self.norm1 = LayerNorm32(channels, eps=NORM_EPS)
        self.norm2 = LayerNorm32(out_channels, eps=NORM_EPS, elementwise_affine=False)
        self.conv1 = SparseConv3d(channels, out_channels)
        self.conv2 = zero(SparseConv3d(out_channels, out_channels))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb_channels, 2 * out_channels))
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Linear(channels, out_channels)

    def forward(
        self, x: Float[Tensor, "n i"], fine: VoxelSet, emb: Float[Tensor, "b e"]
    ) -> Float[Tensor, "m o"]:
        """Apply.

        Args:
            x: rows of `fine`, or with `up` of its parents.
            fine: the finer of the two sets of voxels.
            emb: of every batch element.

        Returns:
            Rows of `fine`, or with `down` of its parents (`fine.halved.coarse`).
        """
        voxels = fine
        if self.resample == "down":
            voxels, x = fine.halved.coarse, pool_to_parents(x, fine.halved)
        elif self.resample == "up":
            x = copy_to_children(x, fine.halved)
        # scale first: the transformer's modulation has the shift first
        scale, shift = self.emb_layers(emb).chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)), voxels)
        h = self.norm2(h) * (1 + scale[voxels.batch]) + shift[voxels.batch]
        h = self.conv2(F.silu(h), voxels)
        return h + self.skip_connection(x)


class GroupAttention(nn.Module):
    """Self-attention among the voxels of a group."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(channels, channels * 3)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "n c"], groups: Groups) -> Float[Tensor, "n c"]:
        """Attend."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(1)
        return self.to_out(attend_in_groups(q, k, v, groups).flatten(1))


class SparseTransformerBlock(nn.Module):
    """Self-attention in groups, then a perceptron, both behind norms without parameters."""

    def __init__(self, channels: int, heads: int, mlp_ratio: float = 4):
        super().__init__()
        self.norm1 = LayerNorm32(channels, eps=NORM_EPS, elementwise_affine=False)
        self.norm2 = LayerNorm32(channels, eps=NORM_EPS, elementwise_affine=False)
        self.attn = GroupAttention(channels, heads)
        self.mlp = FeedForward(channels, mlp_ratio)

    def forward(self, h: Float[Tensor, "n c"], groups: Groups) -> Float[Tensor, "n c"]:
        """Apply."""
        h = h + self.attn(self.norm1(h), groups)
        return h + self.mlp(self.norm2(h))


def check_features(x: Tensor, voxels: VoxelSet, channels: int) -> None:
    """Raise ValueError where features are not (voxels, channels)."""
    if tuple(x.shape) != (len(voxels), channels):
        raise ValueError(f"x: expected ({len(voxels)}, {channels}), got {tuple(x.shape)}")


def check_resolution(voxels: VoxelSet, resolution: int) -> None:
    """Raise ValueError where voxels lie outside of the grid that the network is made for."""
    if max(voxels.extent) > resolution:
        raise ValueError(
            f"coords: voxel {max(voxels.extent) - 1} outside a grid of {resolution} cells"
        )
