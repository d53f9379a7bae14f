"""Hidden states of a voxel auto-encoder: a second generative backbone for HNSR's search."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "features"


class Options(Variant):
    """States of the encoder at its lowest resolution; no condition, no noise, no timestep."""

    FORM: ClassVar[Literal["grid"]] = "grid"

    kind: Literal["voxel_autoencoder"]
    voxel: Annotated[Name, RefersTo("voxels")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="SparseStructureEncoder: an asset, or a model of kind `ss_vae`"
    )
    states: Literal["middle", "mean"] = Field(
        "middle", description="output of the middle block, or mean of the latent"
    )
    untrained: bool = Field(
        False, description="control: same classes, seeded random weights instead"
    )
