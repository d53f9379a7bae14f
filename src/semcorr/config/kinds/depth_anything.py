"""Depth of views as Depth Anything guesses it from their colours."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "depth"


class Options(Variant):
    """Monocular depth; scale and offset, which a picture cannot tell, are fitted to the view's own depth."""

    FORM: ClassVar[Literal["depth"]] = "depth"
    NETWORK: ClassVar[bool] = True

    kind: Literal["depth_anything"]
    render: Annotated[Name, RefersTo("renders")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="config.json + safetensors in the layout of transformers' Depth Anything"
    )
    size: int = Field(
        518, ge=14, le=2048, description="shorter side given to the network, pixels (whole patches)"
    )
    background: Literal["white", "grey", "black"] = "white"
