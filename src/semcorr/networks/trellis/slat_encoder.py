"""Structured-latent encoder: features of occupied voxels to latents (HNSR section 3.6)."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.networks.sparse.attention import Groups, groups_of, window_ids
from semcorr.networks.sparse.voxel_set import VoxelSet
from semcorr.networks.trellis.layers import (
    position_code_at,
    set_torso_dtype,
    torso_dtype,
    zero,
)
from semcorr.networks.trellis.slat_blocks import (
    SparseTransformerBlock,
    check_features,
    check_resolution,
)


class SLatPosterior(NamedTuple):
    """Latents of occupied voxels.

    Attributes:
        mean: (n, latent) float32.
        logvar: (n, latent) float32.
        hidden: block index -> (n, model) state after that block, for the blocks asked for.
    """

    mean: Tensor
    logvar: Tensor
    hidden: dict[int, Tensor]


class SLatEncoder(nn.Module):
    """Transformer with attention in windows that are shifted by half in every other block.

    Args:
        resolution: cells per axis of the voxels.
        in_channels: of the features.
        model_channels: width.
        latent_channels: of the latent.
        num_blocks: depth.
        num_heads: attention heads; default model_channels // num_head_channels.
        num_head_channels: used where num_heads is not given.
        mlp_ratio: hidden width of the perceptrons over the width.
        attn_mode: "swin" (windows), as released, or "full" (a shape's voxels see each other).
        window_size: cells per window and axis.
        pe_mode: only "ape" was released.
        use_fp16: how the released file is stored; the computing type is chosen by `set_dtype`.
        use_checkpoint: accepted and ignored (saves memory in the original's training).
        qk_rms_norm: only False was released.
    """

    # The signature is the released json's; a dataclass would not load it.
    def __init__(  # noqa: PLR0913
        self,
        resolution: int,
        in_channels: int,
        model_channels: int,
        latent_channels: int,
        num_blocks: int,
        num_heads: int | None = None,
        num_head_channels: int | None = 64,
        mlp_ratio: float = 4,
        attn_mode: str = "swin",
        window_size: int = 8,
        pe_mode: str = "ape",
        use_fp16: bool = False,
        use_checkpoint: bool = False,
        qk_rms_norm: bool = False,
    ):
        super().__init__()
        for name, value, allowed in (
            ("attn_mode", attn_mode, ("swin", "full")),
            ("pe_mode", pe_mode, ("ape",)),
            ("qk_rms_norm", qk_rms_norm, (False,)),
        ):
            if value not in allowed:
                raise UserError(f"{name} {value!r} is not supported, only {allowed[0]!r}")
        heads = num_heads or model_channels // (num_head_channels or 64)
        if not heads or model_channels % heads:
            raise UserError(f"{model_channels} model channels do not divide into {heads} heads")
        if window_size < 2:
            raise UserError(f"window_size: expected at least 2, got {window_size}")
        self.resolution = resolution
        self.in_channels = in_channels
        self.model_channels = model_channels
        self.latent_channels = latent_channels
        self.window = window_size if attn_mode == "swin" else None
        self.input_layer = nn.Linear(in_channels, model_channels)
        self.blocks = nn.ModuleList(
            SparseTransformerBlock(model_channels, heads, mlp_ratio) for _ in range(num_blocks)
        )
        self.out_layer = nn.Linear(model_channels, 2 * latent_channels)
        self._initialise()

    def _initialise(self) -> None:
        """Published initialisation: Xavier, zero output."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        zero(self.out_layer)

    def set_dtype(self, dtype: torch.dtype) -> None:
        """Compute the blocks in this type; first and last layers and all norms stay float32."""
        set_torso_dtype(self.blocks, dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the blocks' linear layers."""
        return torso_dtype(self.blocks)

    def _groups(self, voxels: VoxelSet) -> tuple[Groups, Groups]:
        """Who sees whom in even and in odd blocks."""
        if self.window is None:
            groups = groups_of(voxels.batch)
            return groups, groups
        ids = (window_ids(voxels, self.window, shift) for shift in (0, self.window // 2))
        return tuple(groups_of(windows) for windows in ids)

    def forward(
        self, x: Float[Tensor, "n i"], voxels: VoxelSet, taps: Iterable[int] = ()
    ) -> SLatPosterior:
        """Encode.

        Args:
            x: features of the voxels.
            voxels: within the network's resolution.
            taps: blocks (0-based) whose output is kept.

        Returns:
            Mean and log-variance in the rows of the voxels.
        """
        check_features(x, voxels, self.in_channels)
        check_resolution(voxels, self.resolution)
        taps = set(taps)
        outside = sorted(index for index in taps if not 0 <= index < len(self.blocks))
        if outside:
            raise UserError(
                f"block {outside[0]} does not exist: the network has 0..{len(self.blocks) - 1}"
            )
        h = self.input_layer(x) + position_code_at(voxels.cells, self.model_channels)
        h = h.to(self.dtype)
        groups, hidden = self._groups(voxels), {}
        for index, block in enumerate(self.blocks):
            h = block(h, groups[index % 2])
            if index in taps:
                hidden[index] = h
        h = F.layer_norm(h.float(), h.shape[-1:])
        return SLatPosterior(*self.out_layer(h).chunk(2, dim=1), hidden)
