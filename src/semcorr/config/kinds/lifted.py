"""Image features lifted to the surface: mean over the views in which a point is visible."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant
from semcorr.config.modules import Backbone

SECTION = "features"


class Options(Variant):
    """Features of a frozen image network on the vertices and surface samples of a shape."""

    FORM: ClassVar[Literal["sites"]] = "sites"

    kind: Literal["lifted"]
    render: Annotated[Name, RefersTo("renders")]
    mask: Annotated[Name, RefersTo("masks")] | None = Field(
        None,
        description="of the same views: only its pixels are the object; none = all that is hit",
    )
    depth: Annotated[Name, RefersTo("depth")] | None = Field(
        None,
        description="of the same views: which sites a view shows; none = the views' own, exact",
    )
    tolerance: float = Field(
        0.01,
        gt=0,
        le=2,
        description="largest distance of a visible site from the depth, longest side of a shape = 1",
    )
    backbone: Backbone = Field(
        description="name in the backbone registry (a module of networks/zoo)"
    )
    weights: Annotated[Name, RefersTo("weights")] = Field(description="asset or model")
    size: int = Field(257, ge=28, le=2048, description="picture size given to the network, pixels")
    layers: dict[str, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="layer name -> weight in the concatenation"
    )
    centre: Literal["none", "view"] = Field(
        "view", description="subtract each view's foreground mean"
    )
    background: Literal["white", "grey", "black"] = "white"

    def code_modules(self) -> tuple[str, ...]:
        """Return the registry entry of the image network."""
        return (f"semcorr.networks.zoo.{self.backbone}",)
