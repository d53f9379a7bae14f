"""Structured-latent flow network, with taps on its hidden states (HNSR section 3.6)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.networks.sparse.voxel_set import VoxelSet
from semcorr.networks.trellis.dit import CrossAttention, FlowBlock, SelfAttention, TimeEmbedder
from semcorr.networks.trellis.layers import (
    position_code_at,
    set_torso_dtype,
    torso_dtype,
    zero,
)
from semcorr.networks.trellis.slat_blocks import SparseResBlock, check_features, check_resolution
from semcorr.networks.trellis.taps import stop_index


class SLatOutput(NamedTuple):
    """Result of a pass.

    Attributes:
        velocity: (n, out) float32 in the rows of the voxels, or None after an early exit.
        hidden: block index -> hidden state after that transformer block, (v, m, model): one row of
            `tokens` each; v = 1 but where one shape was given several conditions.
        tokens: the voxels of the grid half as fine, on which the transformer works.
    """

    velocity: Tensor | None
    hidden: dict[int, Tensor]
    tokens: VoxelSet


class SLatFlowModel(nn.Module):
    """U-shaped: convolutions at the voxels, a transformer at their parents, convolutions back.

    Args:
        resolution: cells per axis of the voxels.
        in_channels: of the latent.
        model_channels: width of the transformer.
        cond_channels: width of the condition tokens.
        out_channels: of the velocity.
        num_blocks: depth of the transformer.
        num_heads: attention heads; default model_channels // num_head_channels.
        num_head_channels: used where num_heads is not given.
        mlp_ratio: hidden width of the perceptrons over the width.
        patch_size: 2 ** number of io_block_channels.
        num_io_res_blocks: residual blocks per resolution on the way in, and on the way out.
        io_block_channels: width at every resolution above the transformer's, finest first.
        pe_mode: only "ape" was released.
        use_fp16: how the released file is stored; the computing type is chosen by `set_dtype`.
        use_checkpoint: accepted and ignored (saves memory in the original's training).
        use_skip_connection: only True was released.
        share_mod: only False was released.
        qk_rms_norm: normalise queries and keys of the self-attention.
        qk_rms_norm_cross: the same in the cross-attention.
    """

    # The signature is the released json's; a dataclass would not load it.
    def __init__(  # noqa: PLR0913
        self,
        resolution: int,
        in_channels: int,
        model_channels: int,
        cond_channels: int,
        out_channels: int,
        num_blocks: int,
        num_heads: int | None = None,
        num_head_channels: int | None = 64,
        mlp_ratio: float = 4,
        patch_size: int = 2,
        num_io_res_blocks: int = 2,
        io_block_channels: Sequence[int] = (128,),
        pe_mode: str = "ape",
        use_fp16: bool = False,
        use_checkpoint: bool = False,
        use_skip_connection: bool = True,
        share_mod: bool = False,
        qk_rms_norm: bool = False,
        qk_rms_norm_cross: bool = False,
    ):
        super().__init__()
        for name, value, only in (
            ("pe_mode", pe_mode, "ape"),
            ("use_skip_connection", use_skip_connection, True),
            ("share_mod", share_mod, False),
        ):
            if value != only:
                raise UserError(f"{name} {value!r} is not supported, only {only!r} was released")
        heads = num_heads or model_channels // (num_head_channels or 64)
        if not heads or model_channels % heads:
            raise UserError(f"{model_channels} model channels do not divide into {heads} heads")
        widths = list(io_block_channels)
        if not widths or patch_size != 2 ** len(widths):
            raise UserError(f"patch_size {patch_size} does not fit {len(widths)} io_block_channels")
        if num_io_res_blocks < 1:
            raise UserError(f"num_io_res_blocks: expected at least 1, got {num_io_res_blocks}")
        self.resolution = resolution
        self.in_channels = in_channels
        self.cond_channels = cond_channels
        self.model_channels = model_channels
        self.patch_size = patch_size
        self.whole = True
        self.t_embedder = TimeEmbedder(model_channels)
        self.input_layer = nn.Linear(in_channels, widths[0])
        self.input_blocks = _way_in(widths, model_channels, num_io_res_blocks)
        norms = (qk_rms_norm, qk_rms_norm_cross)
        self.blocks = nn.ModuleList(
            FlowBlock(model_channels, cond_channels, heads, mlp_ratio, norms)
            for _ in range(num_blocks)
        )
        self.out_blocks = _way_out(widths, model_channels, num_io_res_blocks)
        self.out_layer = nn.Linear(widths[0], out_channels)
        self._initialise()

    def _initialise(self) -> None:
        """Published initialisation: Xavier, zero modulation, output and second convolutions."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.t_embedder.mlp[0], self.t_embedder.mlp[2]):
            nn.init.normal_(layer.weight, std=0.02)
        for block in self.blocks:
            zero(block.adaLN_modulation[1])
        zero(self.out_layer)

    def set_dtype(self, dtype: torch.dtype) -> None:
        """Compute the blocks in this type; first and last layers and all norms stay float32."""
        for torso in (self.input_blocks, self.blocks, self.out_blocks):
            set_torso_dtype(torso, dtype)

    def set_attention(self, backend: str) -> None:
        """Choose the attention kernel, see `semcorr.networks.attention.resolve_backend`."""
        for module in self.modules():
            if isinstance(module, SelfAttention | CrossAttention):
                module.backend = backend

    @property
    def dtype(self) -> torch.dtype:
        """Type of the blocks' linear layers."""
        return torso_dtype(self.blocks)

    def forward(
        self,
        x: Float[Tensor, "n c"],
        voxels: VoxelSet,
        t: Float[Tensor, " b"],
        cond: Float[Tensor, "v m d"],
        *,
        taps: Iterable[int] | None = None,
        stop_after: int | None = None,
    ) -> SLatOutput:
        """Run the network.

        Args:
            x: latents of the voxels, normalised.
            voxels: within the network's resolution.
            t: times, already multiplied by 1000, of every batch element.
            cond: condition tokens; zeros for the unconditional pass. With b = 1 and an early exit
                there may be several: what does not depend on them is computed once.
            taps: transformer blocks (0-based) whose output is kept, taken after the perceptron.
            stop_after: leave after this transformer block; no velocity then.

        Returns:
            Velocity (None after an early exit) and the tapped hidden states.
        """
        taps = tuple(sorted(set(taps or ())))
        self._check(x, voxels, t, cond, stop_after)
        stop = stop_index(self, taps, stop_after)
        t_emb, cond = self.t_embedder(t).to(self.dtype), cond.to(self.dtype)
        h, levels, skips = self.input_layer(x).to(self.dtype), [voxels], []
        for block in self.input_blocks:
            h = block(h, levels[-1], t_emb)
            skips.append(h)
            if block.resample == "down":
                levels.append(levels[-1].halved.coarse)
        tokens = levels.pop()
        code = position_code_at(tokens.cells, self.model_channels)
        rows = (h + code.to(h.dtype))[None]
        hidden: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks[: stop + 1]):
            rows = _each_element(block, rows, tokens, t_emb, cond)
            if index in taps:
                hidden[index] = rows
        if stop_after is not None:
            return SLatOutput(None, hidden, tokens)
        h, fine = rows[0], tokens
        for block in self.out_blocks:
            fine = levels.pop() if block.resample == "up" else fine
            h = block(torch.cat([h, skips.pop()], dim=1), fine, t_emb)
        h = F.layer_norm(h.float(), h.shape[-1:])
        return SLatOutput(self.out_layer(h), hidden, tokens)

    def _check(
        self, x: Tensor, voxels: VoxelSet, t: Tensor, cond: Tensor, stop_after: int | None
    ) -> None:
        check_features(x, voxels, self.in_channels)
        check_resolution(voxels, self.resolution)
        batches = voxels.batches
        if tuple(t.shape) != (batches,):
            raise ValueError(f"t: expected ({batches},), got {tuple(t.shape)}")
        several = batches == 1 and stop_after is not None
        if (
            cond.ndim != 3
            or cond.shape[2] != self.cond_channels
            or not len(cond)
            or (len(cond) != batches and not several)
        ):
            raise ValueError(
                f"cond: expected ({batches}, m, {self.cond_channels}), got {tuple(cond.shape)}"
            )


def _each_element(
    block: FlowBlock, rows: Tensor, tokens: VoxelSet, t_emb: Tensor, cond: Tensor
) -> Tensor:
    """Apply a transformer block to each batch element on its own: nobody sees another shape."""
    if tokens.batches == 1:
        return block(rows, t_emb, cond)
    out = torch.empty_like(rows)
    for index, own in enumerate(tokens.rows_of_batch):
        one = slice(index, index + 1)
        out[:, own] = block(rows[:, own], t_emb[one], cond[one])
    return out


def _way_in(widths: Sequence[int], model: int, count: int) -> nn.ModuleList:
    blocks = nn.ModuleList()
    for width, after in zip(widths, [*widths[1:], model], strict=True):
        blocks.extend(SparseResBlock(width, model) for _ in range(count - 1))
        blocks.append(SparseResBlock(width, model, after, resample="down"))
    return blocks


def _way_out(widths: Sequence[int], model: int, count: int) -> nn.ModuleList:
    """Every block also gets what a block of the way in gave, the last first."""
    blocks = nn.ModuleList()
    before = [model, *reversed(widths[1:])]
    for width, deeper in zip(reversed(widths), before, strict=True):
        blocks.append(SparseResBlock(2 * deeper, model, width, resample="up"))
        blocks.extend(SparseResBlock(2 * width, model, width) for _ in range(count - 1))
    return blocks
