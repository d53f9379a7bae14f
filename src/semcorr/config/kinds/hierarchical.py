"""HNSR's coarse-to-fine search on grids of hidden states (steps 5-9)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo
from semcorr.config.matcher import Matcher

SECTION = "methods"


class Options(Matcher):
    """Defaults are the published setting: three levels, radius 1."""

    FEATURE_FORM: ClassVar[Literal["grid"]] = "grid"

    matcher: Literal["hierarchical"]
    feature: Annotated[Name, RefersTo("features")]
    layer: int | None = Field(
        None,
        ge=0,
        description="one of the feature's `more_layers`; without it the feature's `layer`",
    )
    levels: int = Field(3, ge=1, le=8, description="1 = flat nearest neighbour on the latent grid")
    radius: float = Field(1.0, ge=0, le=8, description="neighbourhood of parent cells, in cells")
    mutual: bool = Field(False, description="keep only cells that choose each other")
    align: Literal["none", "yaw", "rotation"] = Field(
        "none",
        description="best of the `yaws`, or pair of the `rotations`, that the feature's voxels hold"
        " (extracted anew)",
    )
    chamfer_weight: float = Field(
        1.0,
        ge=0,
        le=100,
        description="chamfer distance against feature agreement in that choice",
    )
