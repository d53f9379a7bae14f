"""Mask of an object from Segment Anything."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "masks"


class Options(Variant):
    """The object is what Segment Anything cuts out of a view's colours, given a hint of where it is."""

    FORM: ClassVar[Literal["pixels"]] = "pixels"
    NETWORK: ClassVar[bool] = True

    kind: Literal["sam"]
    render: Annotated[Name, RefersTo("renders")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="config.json + safetensors in the layout of transformers' SamModel"
    )
    prompt: Literal["box", "points", "grid"] = Field(
        "box",
        description="hint: box around a view's alpha, points inside it, or a grid over the whole"
        " view; a view without transparent pixels always gets the grid",
    )
    points: int = Field(5, ge=1, le=64, description="points inside the alpha (prompt: points)")
    grid: int = Field(16, ge=1, le=64, description="points per side of the grid")
    min_quality: float = Field(
        0.88, ge=0, le=1, description="grid: smallest quality that the network gives a mask itself"
    )
    background: Literal["white", "grey", "black"] = "white"
