"""Depth of views as their renderer has it."""

from typing import Annotated, ClassVar, Literal

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "depth"


class Options(Variant):
    """Exact depth: along the optical axis, of the ray through each pixel's centre."""

    FORM: ClassVar[Literal["depth"]] = "depth"
    NETWORK: ClassVar[bool] = False

    kind: Literal["render"]
    render: Annotated[Name, RefersTo("renders")]
