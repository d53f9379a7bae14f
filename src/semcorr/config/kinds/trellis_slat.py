"""Structured latents of TRELLIS: what the views show, encoded at every occupied voxel."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant
from semcorr.config.modules import Backbone

SECTION = "latents"


class Options(Variant):
    """Mean of the structured-latent encoder on image features of the surface voxels."""

    FORM: ClassVar[Literal["sparse"]] = "sparse"

    kind: Literal["trellis_slat"]
    voxel: Annotated[Name, RefersTo("voxels")]
    render: Annotated[Name, RefersTo("renders")] = Field(
        description="views whose image features are averaged at the voxels (published: 150)"
    )
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="structured-latent encoder, json + safetensors"
    )
    image_encoder: Annotated[Name, RefersTo("weights")] = Field(
        description="weights of the image encoder (DINOv2 layout)"
    )
    backbone: Backbone = Field(description="registry name of the image encoder")
    image_size: int = Field(518, ge=28, le=1036, description="picture size, pixels")
    untrained: bool = Field(
        False, description="control: same classes, seeded random weights instead"
    )

    def code_modules(self) -> tuple[str, ...]:
        """Return the registry entry of the image encoder."""
        return (f"semcorr.networks.zoo.{self.backbone}",)
