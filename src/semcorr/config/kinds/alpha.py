"""Mask of an object from the alpha channel of its rendering."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "masks"


class Options(Variant):
    """The object is where a view is opaque enough: costs nothing, and knows renderings only."""

    FORM: ClassVar[Literal["pixels"]] = "pixels"
    NETWORK: ClassVar[bool] = False

    kind: Literal["alpha"]
    render: Annotated[Name, RefersTo("renders")]
    threshold: float = Field(0.5, gt=0, le=1, description="smallest alpha of the object, 0..1")
