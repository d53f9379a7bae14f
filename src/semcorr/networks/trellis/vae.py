"""Sparse-structure VAE: 3D occupancy to a latent grid and back (HNSR section 3.2)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from semcorr.errors import ItemError, UserError
from semcorr.geometry.voxels import occupancy
from semcorr.networks.trellis.layers import (
    ChannelLayerNorm32,
    set_torso_dtype,
    torso_dtype,
    zero,
)

# Voxels that one pass may hold: one published grid (64^3), eight tiny ones (32^3)
BATCH_VOXELS = 64**3


class Posterior(NamedTuple):
    """Mean and log-variance of the latent, each (b, latent, r, r, r)."""

    mean: Tensor
    logvar: Tensor


class ResBlock3d(nn.Module):
    """LN, SiLU, 3^3 convolution, twice, plus the input (1^3 convolution where channels differ)."""

    def __init__(self, channels: int, out_channels: int | None = None):
        super().__init__()
        out_channels = out_channels or channels
        self.norm1 = ChannelLayerNorm32(channels)
        self.norm2 = ChannelLayerNorm32(out_channels)
        self.conv1 = nn.Conv3d(channels, out_channels, 3, padding=1)
        self.conv2 = zero(nn.Conv3d(out_channels, out_channels, 3, padding=1))
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv3d(channels, out_channels, 1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d x y z"]:
        """Apply the block."""
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        h = self.conv2(nn.functional.silu(self.norm2(h)))
        return h + self.skip_connection(x)


class Downsample3d(nn.Module):
    """Strided 2^3 convolution."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv3d(channels, out_channels, 2, stride=2)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d x2 y2 z2"]:
        """Halve the grid."""
        return self.conv(x)


class Upsample3d(nn.Module):
    """3^3 convolution to eight times the channels, then a 3D pixel shuffle."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv3d(channels, out_channels * 8, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d x2 y2 z2"]:
        """Double the grid."""
        return pixel_shuffle_3d(self.conv(x))


def pixel_shuffle_3d(x: Float[Tensor, "b c8 x y z"]) -> Float[Tensor, "b c x2 y2 z2"]:
    """Move channels into space: the channel index splits as (c, 2, 2, 2) for (x, y, z).

    Args:
        x: eight times as many channels as wanted.

    Returns:
        A grid of twice the resolution.
    """
    batch, channels, nx, ny, nz = x.shape
    x = x.reshape(batch, channels // 8, 2, 2, 2, nx, ny, nz)
    x = x.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(batch, channels // 8, 2 * nx, 2 * ny, 2 * nz)


class _Torso(nn.Module):
    """What encoder and decoder share: a torso that may compute in a smaller type."""

    blocks: nn.ModuleList
    middle_block: nn.Sequential

    def set_dtype(self, dtype: torch.dtype) -> None:
        """Compute the torso in this type; first and last layers stay float32."""
        for part in (self.blocks, self.middle_block):
            set_torso_dtype(part, dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the torso's convolutions."""
        return torso_dtype(self.middle_block)


def _check_norm(norm_type: str) -> None:
    if norm_type != "layer":
        raise UserError(f"norm_type {norm_type!r} is not supported, only 'layer' was released")


class SparseStructureEncoder(_Torso):
    """Occupancy (b, in, R, R, R) to mean and log-variance (b, latent, r, r, r).

    Args:
        in_channels: 1 for occupancy.
        latent_channels: channels of the mean.
        num_res_blocks: per resolution level.
        num_res_blocks_middle: at the lowest resolution.
        channels: per level; each further level halves the grid.
        norm_type: only "layer".
        use_fp16: how the released file is stored; the computing type is chosen by `set_dtype`.
    """

    def __init__(
        self,
        in_channels: int,
        latent_channels: int,
        num_res_blocks: int,
        channels: Sequence[int],
        num_res_blocks_middle: int = 2,
        norm_type: str = "layer",
        use_fp16: bool = False,
    ):
        super().__init__()
        _check_norm(norm_type)
        self.factor = 2 ** (len(channels) - 1)
        self.latent_channels = latent_channels
        self.input_layer = nn.Conv3d(in_channels, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for level, width in enumerate(channels):
            self.blocks.extend(ResBlock3d(width) for _ in range(num_res_blocks))
            if level + 1 < len(channels):
                self.blocks.append(Downsample3d(width, channels[level + 1]))
        self.middle_block = nn.Sequential(
            *(ResBlock3d(channels[-1]) for _ in range(num_res_blocks_middle))
        )
        self.out_layer = nn.Sequential(
            ChannelLayerNorm32(channels[-1]),
            nn.SiLU(),
            nn.Conv3d(channels[-1], latent_channels * 2, 3, padding=1),
        )

    def hidden(self, x: Float[Tensor, "b c R R R"]) -> Float[Tensor, "b d r r r"]:
        """Return the output of the middle block, float32; axes of the grid are (x, y, z)."""
        if x.ndim != 5 or any(side % self.factor for side in x.shape[2:]):
            raise ValueError(
                f"expected (b, c, R, R, R) with R a multiple of {self.factor}, got {tuple(x.shape)}"
            )
        h = self.input_layer(x).to(self.dtype)
        for block in self.blocks:
            h = block(h)
        return self.middle_block(h).float()

    def forward(self, x: Float[Tensor, "b c R R R"]) -> Posterior:
        """Encode; axes of the grid are (x, y, z)."""
        return Posterior(*self.out_layer(self.hidden(x)).chunk(2, dim=1))


class SparseStructureDecoder(_Torso):
    """Latent (b, latent, r, r, r) to occupancy logits (b, out, R, R, R); mirror of the encoder.

    Args:
        out_channels: 1 for occupancy.
        latent_channels: channels of the latent.
        num_res_blocks: per resolution level.
        num_res_blocks_middle: at the lowest resolution.
        channels: per level, lowest resolution first.
        norm_type: only "layer".
        use_fp16: how the released file is stored.
    """

    def __init__(
        self,
        out_channels: int,
        latent_channels: int,
        num_res_blocks: int,
        channels: Sequence[int],
        num_res_blocks_middle: int = 2,
        norm_type: str = "layer",
        use_fp16: bool = False,
    ):
        super().__init__()
        _check_norm(norm_type)
        self.input_layer = nn.Conv3d(latent_channels, channels[0], 3, padding=1)
        self.middle_block = nn.Sequential(
            *(ResBlock3d(channels[0]) for _ in range(num_res_blocks_middle))
        )
        self.blocks = nn.ModuleList()
        for level, width in enumerate(channels):
            self.blocks.extend(ResBlock3d(width) for _ in range(num_res_blocks))
            if level + 1 < len(channels):
                self.blocks.append(Upsample3d(width, channels[level + 1]))
        self.out_layer = nn.Sequential(
            ChannelLayerNorm32(channels[-1]),
            nn.SiLU(),
            nn.Conv3d(channels[-1], out_channels, 3, padding=1),
        )

    def forward(self, z: Float[Tensor, "b c r r r"]) -> Float[Tensor, "b o R R R"]:
        """Decode to logits; a voxel is occupied where its logit is positive."""
        h = self.middle_block(self.input_layer(z).to(self.dtype))
        for block in self.blocks:
            h = block(h)
        return self.out_layer(h.float())


def occupancy_grid(cells: Int[np.ndarray, "n 3"], resolution: int) -> Float[Tensor, "1 1 r r r"]:
    """Occupied voxels as the encoder's input.

    Args:
        cells: voxel indices (x, y, z) in 0..resolution-1.
        resolution: voxels per axis.

    Returns:
        float32 0/1 grid, axes (x, y, z).

    Raises:
        ItemError: no voxel, or one outside the grid.
    """
    cells = np.asarray(cells).astype(np.int64)
    if cells.ndim != 2 or cells.shape[1] != 3 or not len(cells):
        raise ItemError(f"no occupied voxel (cells of shape {cells.shape})")
    if cells.min() < 0 or cells.max() >= resolution:
        raise ItemError(f"voxel {cells.min()}..{cells.max()} outside a grid of {resolution}")
    return torch.from_numpy(occupancy(cells, resolution))[None, None]


@torch.inference_mode()
def encode_cells(
    encoder: SparseStructureEncoder, shapes: Sequence[Int[np.ndarray, "n 3"]], resolution: int
) -> Posterior:
    """Latents of shapes (HNSR step 1); the method uses the mean, not normalised, not sampled.

    Small grids go through the network several at once, which is four times faster on a CPU.

    Args:
        encoder: on any device.
        shapes: occupied voxels (x, y, z) of each.
        resolution: voxels per axis.

    Returns:
        Mean and log-variance, (shapes, latent, r, r, r) float32 on the CPU.

    Raises:
        ItemError: unusable voxels or values that are not finite.
    """
    device = next(encoder.parameters()).device
    parts = [encoder(grids.to(device)) for grids in _batches(shapes, resolution)]
    posterior = Posterior(*(torch.cat(part).float().cpu() for part in zip(*parts, strict=True)))
    if not all(bool(part.isfinite().all()) for part in posterior):
        raise ItemError("latent is not finite")
    return posterior


@torch.inference_mode()
def hidden_of_cells(
    encoder: SparseStructureEncoder, shapes: Sequence[Int[np.ndarray, "n 3"]], resolution: int
) -> Float[Tensor, "b d r r r"]:
    """Hidden states of shapes at the lowest resolution, float32 on the CPU.

    Args:
        encoder: on any device.
        shapes: occupied voxels (x, y, z) of each.
        resolution: voxels per axis.

    Raises:
        ItemError: unusable voxels or values that are not finite.
    """
    device = next(encoder.parameters()).device
    parts = [encoder.hidden(g.to(device)).cpu() for g in _batches(shapes, resolution)]
    states = torch.cat(parts)
    if not bool(states.isfinite().all()):
        raise ItemError("hidden states are not finite")
    return states


def _batches(shapes: Sequence[Int[np.ndarray, "n 3"]], resolution: int) -> Iterator[Tensor]:
    """Yield occupancy grids, as many at once as hold `BATCH_VOXELS` voxels."""
    batch = max(1, BATCH_VOXELS // resolution**3)
    for start in range(0, len(shapes), batch):
        chunk = shapes[start : start + batch]
        yield torch.cat([occupancy_grid(cells, resolution) for cells in chunk])


@torch.inference_mode()
def decode_cells(
    decoder: SparseStructureDecoder, latent: Float[Tensor, "b c r r r"]
) -> tuple[Float[Tensor, "b o R R R"], Int[np.ndarray, "n 4"]]:
    """Occupied voxels of latents.

    Args:
        decoder: on any device.
        latent: grid of means or samples.

    Returns:
        Logits on the CPU, and (batch, x, y, z) of the voxels with a positive logit, in C order.
    """
    logits = decoder(latent.to(next(decoder.parameters()).device)).float().cpu()
    cells = torch.argwhere(logits > 0)[:, [0, 2, 3, 4]]
    return logits, cells.to(torch.int32).numpy()
