"""Sparse-structure flow transformer, the feature extractor of HNSR (section 3.3)."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.networks.attention import attend
from semcorr.networks.trellis.layers import (
    LayerNorm32,
    MultiHeadRMSNorm,
    position_code_at,
    set_torso_dtype,
    torso_dtype,
    zero,
)
from semcorr.networks.trellis.taps import stop_index

TIME_FREQUENCIES = 256


class FlowOutput(NamedTuple):
    """Result of a pass.

    Attributes:
        velocity: (b, out, r, r, r) float32, or None after an early exit.
        hidden: block index -> (b, r^3, model) hidden state after that block, x-major tokens.
    """

    velocity: Tensor | None
    hidden: dict[int, Tensor]


def position_code(resolution: int, channels: int) -> Float[Tensor, "n c"]:
    """Sine-cosine code of all cells, x-major, zero-padded to `channels` (HNSR section 3.3, step 2).

    Args:
        resolution: cells per axis.
        channels: width; freq = channels // 6 frequencies per coordinate.

    Returns:
        (resolution^3, channels): per coordinate all sines, then all cosines.
    """
    axis = torch.arange(resolution, dtype=torch.float32)
    return position_code_at(torch.cartesian_prod(axis, axis, axis), channels)


class TimeEmbedder(nn.Module):
    """Cosine-then-sine code of the time, then a two-layer perceptron, in float32."""

    def __init__(self, channels: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(TIME_FREQUENCIES, channels), nn.SiLU(), nn.Linear(channels, channels)
        )

    def forward(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Embed times that are already multiplied by 1000."""
        half = TIME_FREQUENCIES // 2
        index = torch.arange(half, dtype=torch.float32, device=t.device)
        phase = t.float()[:, None] * torch.exp(-math.log(10000) * index / half)
        return self.mlp(torch.cat([phase.cos(), phase.sin()], dim=-1))


class SelfAttention(nn.Module):
    """Attention among the cells, with RMS-normalised queries and keys."""

    def __init__(self, channels: int, heads: int, qk_rms_norm: bool):
        super().__init__()
        self.heads = heads
        self.backend = "sdpa"
        self.to_qkv = nn.Linear(channels, channels * 3)
        self.to_out = nn.Linear(channels, channels)
        self.qk_rms_norm = qk_rms_norm
        if qk_rms_norm:
            self.q_rms_norm = MultiHeadRMSNorm(channels // heads, heads)
            self.k_rms_norm = MultiHeadRMSNorm(channels // heads, heads)

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Attend."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        if self.qk_rms_norm:
            q, k = self.q_rms_norm(q), self.k_rms_norm(k)
        return self.to_out(attend(q, k, v, self.backend).flatten(2))


class CrossAttention(nn.Module):
    """Attention of the cells to the condition tokens."""

    def __init__(self, channels: int, cond_channels: int, heads: int, qk_rms_norm: bool):
        super().__init__()
        self.heads = heads
        self.backend = "sdpa"
        self.to_q = nn.Linear(channels, channels)
        self.to_kv = nn.Linear(cond_channels, channels * 2)
        self.to_out = nn.Linear(channels, channels)
        self.qk_rms_norm = qk_rms_norm
        if qk_rms_norm:
            self.q_rms_norm = MultiHeadRMSNorm(channels // heads, heads)
            self.k_rms_norm = MultiHeadRMSNorm(channels // heads, heads)

    def forward(
        self, x: Float[Tensor, "b n c"], cond: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b n c"]:
        """Attend."""
        q = self.to_q(x).unflatten(-1, (self.heads, -1))
        k, v = self.to_kv(cond).unflatten(-1, (2, self.heads, -1)).unbind(2)
        if self.qk_rms_norm:
            q, k = self.q_rms_norm(q), self.k_rms_norm(k)
        if len(q) != len(cond):
            q = q.expand(len(cond), -1, -1, -1)
        return self.to_out(attend(q, k, v, self.backend).flatten(2))


class FeedForward(nn.Module):
    """Linear, GELU (tanh form), linear."""

    def __init__(self, channels: int, ratio: float):
        super().__init__()
        hidden = int(channels * ratio)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, channels)
        )

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Apply."""
        return self.mlp(x)


class FlowBlock(nn.Module):
    """Modulated self-attention, plain cross-attention, modulated perceptron.

    The cross-attention branch is neither gated nor modulated.
    """

    def __init__(
        self,
        channels: int,
        cond_channels: int,
        heads: int,
        mlp_ratio: float,
        qk_rms_norm: tuple[bool, bool],
    ):
        super().__init__()
        self.norm1 = LayerNorm32(channels, eps=1e-6, elementwise_affine=False)
        self.norm2 = LayerNorm32(channels, eps=1e-6)
        self.norm3 = LayerNorm32(channels, eps=1e-6, elementwise_affine=False)
        self.self_attn = SelfAttention(channels, heads, qk_rms_norm[0])
        self.cross_attn = CrossAttention(channels, cond_channels, heads, qk_rms_norm[1])
        self.mlp = FeedForward(channels, mlp_ratio)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 6 * channels))

    def forward(
        self, h: Float[Tensor, "b n c"], t_emb: Float[Tensor, "b c"], cond: Float[Tensor, "v m d"]
    ) -> Float[Tensor, "v n c"]:
        """Apply; a batch of one is broadcast over the conditions at the cross-attention."""
        modulation = self.adaLN_modulation(t_emb)[:, None].chunk(6, dim=-1)
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = modulation
        h = h + gate_a * self.self_attn(self.norm1(h) * (1 + scale_a) + shift_a)
        h = h + self.cross_attn(self.norm2(h), cond)
        return h + gate_f * self.mlp(self.norm3(h) * (1 + scale_f) + shift_f)


class SparseStructureFlowModel(nn.Module):
    """Velocity of the latent under time and condition, with taps on its hidden states.

    Args:
        resolution: cells per axis of the latent.
        in_channels: of the latent.
        model_channels: width.
        cond_channels: width of the condition tokens.
        out_channels: of the velocity.
        num_blocks: depth.
        num_heads: attention heads; default model_channels // num_head_channels.
        num_head_channels: used where num_heads is not given.
        mlp_ratio: hidden width of the perceptrons over the width.
        patch_size: only 1 was released.
        pe_mode: only "ape" was released.
        use_fp16: how the released file is stored; the computing type is chosen by `set_dtype`.
        use_checkpoint: accepted and ignored (saves memory in the original's training).
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
        patch_size: int = 1,
        pe_mode: str = "ape",
        use_fp16: bool = False,
        use_checkpoint: bool = False,
        share_mod: bool = False,
        qk_rms_norm: bool = False,
        qk_rms_norm_cross: bool = False,
    ):
        super().__init__()
        for name, value, only in (
            ("patch_size", patch_size, 1),
            ("pe_mode", pe_mode, "ape"),
            ("share_mod", share_mod, False),
        ):
            if value != only:
                raise UserError(f"{name} {value!r} is not supported, only {only!r} was released")
        heads = num_heads or model_channels // (num_head_channels or 64)
        if not heads or model_channels % heads:
            raise UserError(f"{model_channels} model channels do not divide into {heads} heads")
        self.resolution = resolution
        self.in_channels = in_channels
        self.cond_channels = cond_channels
        self.model_channels = model_channels
        self.whole = True
        self.t_embedder = TimeEmbedder(model_channels)
        self.register_buffer("pos_emb", position_code(resolution, model_channels))
        self.input_layer = nn.Linear(in_channels, model_channels)
        norms = (qk_rms_norm, qk_rms_norm_cross)
        self.blocks = nn.ModuleList(
            FlowBlock(model_channels, cond_channels, heads, mlp_ratio, norms)
            for _ in range(num_blocks)
        )
        self.out_layer = nn.Linear(model_channels, out_channels)
        self._initialise()

    def _initialise(self) -> None:
        """Published initialisation: Xavier, zero modulation and output."""
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
        set_torso_dtype(self.blocks, dtype)

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
        x: Float[Tensor, "b c r r r"],
        t: Float[Tensor, " b"],
        cond: Float[Tensor, "v m d"],
        *,
        taps: Iterable[int] | None = None,
        stop_after: int | None = None,
    ) -> FlowOutput:
        """Run the network.

        Args:
            x: latent grid, axes (x, y, z); token index = (ix * r + iy) * r + iz.
            t: times, already multiplied by 1000.
            cond: condition tokens; zeros for the unconditional pass. With b = 1 there may be
                several conditions: what does not depend on them is computed once.
            taps: blocks (0-based) whose output is kept, taken after the perceptron.
            stop_after: leave after this block; no velocity then.

        Returns:
            Velocity (None after an early exit) and the tapped hidden states.
        """
        taps = tuple(sorted(set(taps or ())))
        side = self.resolution
        if x.shape[1:] != (self.in_channels, side, side, side):
            raise ValueError(
                f"x: expected (b, {self.in_channels}, {side}, {side}, {side}), got {tuple(x.shape)}"
            )
        if cond.ndim != 3 or cond.shape[2] != self.cond_channels or len(x) not in (1, len(cond)):
            raise ValueError(
                f"cond: expected ({len(x)}, m, {self.cond_channels}), got {tuple(cond.shape)}"
            )
        stop = stop_index(self, taps, stop_after)
        h = self.input_layer(x.flatten(2).transpose(1, 2)) + self.pos_emb
        t_emb = self.t_embedder(t).to(self.dtype)
        h, cond = h.to(self.dtype), cond.to(self.dtype)
        hidden: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks[: stop + 1]):
            h = block(h, t_emb, cond)
            if index in taps:
                hidden[index] = h
        if stop_after is not None:
            return FlowOutput(None, hidden)
        h = F.layer_norm(h.float(), h.shape[-1:])
        velocity = self.out_layer(h).transpose(1, 2)
        return FlowOutput(velocity.unflatten(2, (side, side, side)), hidden)
