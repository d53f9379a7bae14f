"""Baseline: the nearest point in space, optionally after the best yaw by chamfer distance."""

from typing import Literal

from pydantic import Field

from semcorr.config.matcher import Alignable

SECTION = "methods"


class Options(Alignable):
    """Uses positions only; strong on aligned shapes, so it is always printed."""

    matcher: Literal["spatial"]
    normalise: Literal["box", "samples"] = Field(
        "box",
        description="common centre and size: of the axis-aligned box, or mean and spread of samples",
    )
