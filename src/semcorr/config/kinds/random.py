"""Control: a random source point for every target point."""

from typing import Literal

from semcorr.config.matcher import Matcher

SECTION = "methods"


class Options(Matcher):
    """The floor of every table."""

    matcher: Literal["random"]
