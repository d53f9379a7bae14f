"""Hidden states of the sparse-structure flow network (HNSR steps 2-5)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from semcorr.config.base import Name, RefersTo, Variant
from semcorr.config.modules import Backbone

SECTION = "features"


class Options(Variant):
    """Single-step features; defaults are the published setting (clean latent at timestep 11, layer 9)."""

    FORM: ClassVar[Literal["grid"]] = "grid"
    LATENT_FORM: ClassVar[str] = "grid"

    kind: Literal["hnsr"]
    latent: Annotated[Name, RefersTo("latents")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="flow network, json + safetensors"
    )
    render: Annotated[Name, RefersTo("renders")] | None = Field(
        None, description="views of the image condition; none needed with guidance -1"
    )
    image_encoder: Annotated[Name, RefersTo("weights")] | None = Field(
        None, description="weights of the image encoder (DINOv2 layout)"
    )
    backbone: Backbone | None = Field(None, description="registry name of the image encoder")
    image_size: int = Field(518, ge=28, le=1036, description="condition picture size, pixels")
    steps: int = Field(12, ge=1, description="length of the time schedule")
    timestep: float = Field(11, ge=0, description="time shown to the network, in steps")
    noise: float = Field(0, ge=0, description="noise mixed into the latent, in steps")
    draws: int = Field(1, ge=1, le=64, description="noise draws averaged; the same for all shapes")
    layer: int = Field(9, ge=0, description="block whose output is taken, 0-based")
    more_layers: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="further blocks kept from the same pass; a method names one by its `layer`"
    )
    guidance: float = Field(
        2.5, ge=-1, description="weight of the guided combination; -1 = no images"
    )
    untrained: bool = Field(
        False, description="control: same classes, seeded random weights instead"
    )

    @model_validator(mode="after")
    def _check(self):
        if self.timestep > self.steps or self.noise > self.steps:
            raise ValueError(f"timestep and noise must not exceed steps ({self.steps})")
        if self.layer in self.more_layers or len(set(self.more_layers)) < len(self.more_layers):
            raise ValueError(f"more_layers: each once, and without layer ({self.layer})")
        if self.guidance != -1 and None in (self.render, self.image_encoder, self.backbone):
            raise ValueError(
                "guidance other than -1 needs `render`, `image_encoder` and `backbone` (or set -1: no images)"
            )
        return self

    def code_modules(self) -> tuple[str, ...]:
        """Return the registry entry of the image encoder, where pictures are used."""
        return () if self.guidance == -1 else (f"semcorr.networks.zoo.{self.backbone}",)
