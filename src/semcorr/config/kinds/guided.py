"""Feature matches guided by an alignment that the matches themselves vote for."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo
from semcorr.config.matcher import Alignable

SECTION = "methods"


class Options(Alignable):
    """Our own default matcher (docs/matching.md); not part of any published system."""

    FEATURE_FORM: ClassVar[Literal["sites"]] = "sites"

    matcher: Literal["guided"]
    feature: Annotated[Name, RefersTo("features")]
    temperature: float = Field(0.03, gt=0, le=1, description="of the soft mutual matches")
    sigma: float = Field(
        0.12, gt=0, le=2, description="width of the alignment score, longest side = 1"
    )
    position_weight: float = Field(
        1.0, ge=0, le=100, description="lambda: weight of squared distance"
    )
    align: Literal["none", "yaw", "rotation"] = Field(
        "yaw", description="turns that the matches vote on: those about +Z, or all rotations"
    )
    chamfer_weight: float = Field(
        1.0,
        ge=0,
        le=100,
        description="with align: rotation, chamfer distance against the votes in the choice",
    )
    yaws: int = Field(48, ge=1, le=360, description="number of yaws tried with align: yaw")
