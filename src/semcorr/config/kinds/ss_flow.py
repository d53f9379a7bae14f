"""Training of a small sparse-structure flow network (same class as TRELLIS', spec 3.3)."""

from typing import Annotated, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo
from semcorr.config.training import VoxelModel, VoxelTraining

SECTION = "models"


class Options(VoxelTraining):
    """Rectified flow on the latents of `vae`, conditioned on pictures where `dataset` has them."""

    kind: Literal["ss_flow"]
    vae: VoxelModel = Field(description="trained entry whose encoder makes the latents")
    image_encoder: VoxelModel | None = Field(None, description="trained entry that encodes the pictures")
    dataset: Annotated[Name, RefersTo("datasets")] | None = Field(
        None, description="rendered shapes that are trained with image condition"
    )
    render: Annotated[Name, RefersTo("renders")] | None = None
    model_channels: int = Field(128, ge=16)
    blocks: int = Field(6, ge=1)
    heads: int = Field(2, ge=1)
    condition_channels: int = Field(48, ge=1, description="width of the image encoder")
    drop_condition: float = Field(0.5, ge=0, le=1, description="share of samples without pictures")
