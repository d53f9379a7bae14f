"""What matchers share: which form of features they read and how shapes are aligned."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant


class Matcher(Variant):
    """Base of all matchers."""

    FEATURE_FORM: ClassVar[Literal["none", "sites", "grid"]] = "none"


class Alignable(Matcher):
    """A matcher that may first search the rotation between source and target."""

    align: Literal["none", "yaw", "rotation"] = Field(
        "none", description="`yaw`: search the angle about +Z; `rotation`: search all rotations"
    )
    yaws: int = Field(24, ge=2, le=360, description="number of yaws tried with align: yaw")
    rotations: int = Field(
        1024,
        ge=1,
        le=65536,
        description="with align: rotation, first tried beside the 24 of the cube",
    )
