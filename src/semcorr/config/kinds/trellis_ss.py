"""Latents of TRELLIS' sparse-structure VAE encoder (HNSR step 1)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "latents"


class Options(Variant):
    """Mean of the sparse-structure encoder on surface voxels."""

    FORM: ClassVar[Literal["grid"]] = "grid"

    kind: Literal["trellis_ss"]
    voxel: Annotated[Name, RefersTo("voxels")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="asset or model, json + safetensors"
    )
    untrained: bool = Field(
        False, description="control: same classes, seeded random weights instead"
    )
