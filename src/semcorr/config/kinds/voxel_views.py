"""Image features averaged over all views at every occupied voxel."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant
from semcorr.config.modules import Backbone

SECTION = "features"


class Options(Variant):
    """What the structured-latent encoder gets, as features; the sites of a shape get them."""

    FORM: ClassVar[Literal["sites"]] = "sites"

    kind: Literal["voxel_views"]
    voxel: Annotated[Name, RefersTo("voxels")]
    render: Annotated[Name, RefersTo("renders")]
    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="image encoder (DINOv2 layout)"
    )
    backbone: Backbone = Field(description="registry name of the image encoder")
    image_size: int = Field(518, ge=28, le=1036, description="picture size, pixels")

    def code_modules(self) -> tuple[str, ...]:
        """Return the registry entry of the image encoder."""
        return (f"semcorr.networks.zoo.{self.backbone}",)
