"""Nearest neighbour in feature space (cosine)."""

from typing import Annotated, ClassVar, Literal

from semcorr.config.base import Name, RefersTo
from semcorr.config.matcher import Matcher

SECTION = "methods"


class Options(Matcher):
    """Forgets where a point is; knows only what it looks like."""

    FEATURE_FORM: ClassVar[Literal["sites"]] = "sites"

    matcher: Literal["nearest"]
    feature: Annotated[Name, RefersTo("features")]
