"""Training of a small sparse-structure flow network (same class as TRELLIS', spec 3.3)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from semcorr.config.base import Name, RefersTo
from semcorr.config.training import VoxelModel, VoxelTraining

SECTION = "models"


class Options(VoxelTraining):
    """Rectified flow on the latents of `vae`, conditioned on pictures where `datasets` have them."""

    kind: Literal["ss_flow"]
    vae: VoxelModel = Field(description="trained entry whose encoder makes the latents")
    image_encoder: VoxelModel | None = Field(
        None, description="trained entry that encodes the pictures"
    )
    datasets: tuple[Annotated[Name, RefersTo("datasets")], ...] = Field(
        (), description="rendered shapes that are trained with image condition"
    )
    render: Annotated[Name, RefersTo("renders")] | None = None
    model_channels: int = Field(128, ge=16)
    blocks: int = Field(6, ge=1)
    heads: int = Field(2, ge=1)
    qk_rms_norm: bool = Field(True, description="normalise queries and keys, as published")
    condition_channels: int = Field(96, ge=1, description="width of the image encoder")
    image_size: int = Field(112, ge=28, le=1036, description="condition picture size, pixels")
    condition_share: float = Field(0.25, ge=0, le=1, description="share of samples with pictures")
    drop_condition: float = Field(0.1, ge=0, le=1, description="share of those that go without")
    time_mean: float = Field(1.0, ge=-5, le=5, description="times are sigmoid(normal(mean, std))")
    time_std: float = Field(1.0, gt=0, le=5)

    @model_validator(mode="after")
    def _pictures_come_with_an_encoder(self):
        if len({not value for value in (self.image_encoder, self.datasets, self.render)}) != 1:
            raise ValueError(
                "image_encoder, datasets and render must be given together or not at all"
            )
        return self
