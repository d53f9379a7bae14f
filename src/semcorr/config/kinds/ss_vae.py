"""Training of a small sparse-structure VAE (same classes as TRELLIS', spec 3.2)."""

from typing import Literal

from pydantic import Field

from semcorr.config.training import VoxelTraining

SECTION = "models"


class Options(VoxelTraining):
    """Dice loss plus KL."""

    kind: Literal["ss_vae"]
    channels: tuple[int, ...] = Field(
        (16, 32, 64), min_length=2, description="per resolution level"
    )
    latent_channels: int = Field(8, ge=1)
    num_res_blocks: int = Field(1, ge=1)
    num_res_blocks_middle: int = Field(1, ge=1)
    kl_weight: float = Field(1e-3, ge=0)
    loss: Literal["dice", "bce", "l1"] = "dice"
