"""Vision transformer in the layout of DINOv2's checkpoints, made of timm's layers (HNSR 3.1)."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from semcorr.networks.backbone_spec import PositionResize
from semcorr.networks.timm_models import create


class ViTTokens(NamedTuple):
    """Tokens of a pass, order CLS, registers, patches (row-major).

    Attributes:
        prenorm: (b, 1 + registers + h * w, c) after the last block that ran, before the final norm.
        blocks: block index -> tokens after that block, for the blocks asked for.
        grid: (h, w) patches.
        prefix: number of tokens before the patches.
    """

    prenorm: Tensor
    blocks: dict[int, Tensor]
    grid: tuple[int, int]
    prefix: int

    def patches(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b c h w"]:
        """Patch tokens as a picture-like grid."""
        return tokens[:, self.prefix :].transpose(1, 2).unflatten(2, self.grid)


class DinoViT(nn.Module):
    """DINOv2 with its published key names; any picture size that is a multiple of the patch.

    Args:
        timm_name: timm model that the patch embedding, the blocks and the norm are taken from.
        positions: rule for other picture sizes.
        timm_kwargs: img_size (of the stored position table), patch_size, embed_dim, depth,
            num_heads, reg_tokens, init_values ...
    """

    def __init__(self, timm_name: str, positions: PositionResize | None = None, **timm_kwargs: Any):
        super().__init__()
        vit = create(timm_name, num_classes=0, **timm_kwargs)
        self.positions = positions or PositionResize()
        self.patch_size = vit.patch_embed.patch_size[0]
        self.table_grid = tuple(vit.patch_embed.grid_size)
        self.embed_dim = width = vit.embed_dim
        patches = self.table_grid[0] * self.table_grid[1]
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + patches, width))
        registers = vit.num_reg_tokens
        if registers:
            self.register_tokens = nn.Parameter(0.02 * torch.randn(1, registers, width))
        self.prefix = 1 + registers
        self.patch_embed = vit.patch_embed
        self.blocks = vit.blocks
        self.norm = vit.norm

    def position_table(self, grid: tuple[int, int]) -> Float[Tensor, "1 n c"]:
        """Position code of CLS and of a grid of patches; registers have none.

        Args:
            grid: (h, w) patches.

        Returns:
            (1, 1 + h * w, c); the stored table where the grid is the stored one.
        """
        if tuple(grid) == self.table_grid:
            return self.pos_embed
        cls, patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        table = patches.unflatten(1, self.table_grid).permute(0, 3, 1, 2)
        offset, target = self.positions.offset, {"size": tuple(grid)}
        if offset:
            factors = [
                (want + offset) / have for want, have in zip(grid, self.table_grid, strict=True)
            ]
            target = {"scale_factor": tuple(factors)}
        resized = F.interpolate(
            table.float(), mode="bicubic", antialias=self.positions.antialias, **target
        )
        if tuple(resized.shape[2:]) != tuple(grid):
            raise ValueError(f"position table became {tuple(resized.shape[2:])}, expected {grid}")
        return torch.cat([cls, resized.to(cls.dtype).flatten(2).transpose(1, 2)], dim=1)

    def embed(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n c"]:
        """Tokens before the first block: patches, CLS, positions, then registers behind CLS."""
        height, width = pictures.shape[2:]
        if pictures.shape[1] != 3 or height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"expected (b, 3, h, w) with sides a multiple of {self.patch_size}, "
                f"got {tuple(pictures.shape)}"
            )
        grid = (height // self.patch_size, width // self.patch_size)
        x = self.patch_embed.proj(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = x + self.position_table(grid)
        if self.prefix > 1:
            registers = self.register_tokens.expand(len(x), -1, -1)
            x = torch.cat([x[:, :1], registers, x[:, 1:]], dim=1)
        return x

    def forward(
        self, pictures: Float[Tensor, "b 3 h w"], taps: Iterable[int] = (), stop: bool = False
    ) -> ViTTokens:
        """Run the network on normalised pictures.

        Args:
            pictures: sides are multiples of the patch size.
            taps: blocks (0-based) whose output is kept.
            stop: leave after the last tapped block; `prenorm` is then that block's output.

        Returns:
            Tokens before the final norm and after the tapped blocks.
        """
        taps = set(taps)
        outside = [index for index in taps if not 0 <= index < len(self.blocks)]
        if outside:
            raise ValueError(f"block {outside[0]} does not exist, there are {len(self.blocks)}")
        x = self.embed(pictures)
        kept: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in taps:
                kept[index] = x
            if stop and taps and index == max(taps):
                break
        side = self.patch_size
        grid = (pictures.shape[2] // side, pictures.shape[3] // side)
        return ViTTokens(x, kept, grid, self.prefix)


def to_hub_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring a DINOv2 state dict into the torch-hub layout.

    Accepts the hub's own layout (whose unused `mask_token` is dropped) and timm's, in which the
    position of CLS is already added to `cls_token` where there are registers.

    Args:
        tensors: flat state dict in either layout.

    Returns:
        State dict for `DinoViT`, to be loaded strictly.
    """
    state = {key: value for key, value in tensors.items() if key != "mask_token"}
    if "reg_token" in state:
        state["register_tokens"] = state.pop("reg_token")
        if "pos_embed" in state:
            table = state["pos_embed"]
            state["pos_embed"] = torch.cat([torch.zeros_like(table[:, :1]), table], dim=1)
    return state
