"""What matchers share: which form of features they read and how shapes are aligned."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant


class Matcher(Variant):
    """Base of all matchers."""

    FEATURE_FORM: ClassVar[Literal["none", "sites", "grid"]] = "none"


class Alignable(Matcher):
    """A matcher that may first search the yaw between source and target."""

    align: Literal["none", "yaw"] = Field("none", description="`yaw`: search the angle about +Z")
    yaws: int = Field(24, ge=2, le=360, description="number of yaws tried with align: yaw")
