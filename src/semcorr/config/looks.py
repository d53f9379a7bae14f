"""`decodings:` and `samplings:` what latents hold and what a flow network makes, as voxels to look at."""

from typing import Annotated

from pydantic import Field, model_validator

from semcorr.config.base import Name, RefersTo, Variant
from semcorr.config.experiments import Count, ItemIds
from semcorr.config.modules import Backbone

Decoder = Annotated[Name, RefersTo("weights")]
DECODER = "SparseStructureDecoder: an asset, or a model of kind `ss_vae`"
ITEMS = "ids, or how many of the first ids"


class Decoding(Variant):
    """Latents of some items through the decoder, beside the voxels that they were made of."""

    dataset: Annotated[Name, RefersTo("datasets")]
    items: ItemIds | Count = Field(6, description=ITEMS)
    latent: Annotated[Name, RefersTo("latents")] = Field(description="of kind `trellis_ss`")
    decoder: Decoder = Field(description=DECODER)


class Sampling(Variant):
    """Shapes drawn from a flow network, without a condition or for pictures of some items.

    Defaults are the published sampler. Items are named with all of `dataset`, `render`, `image_encoder` and
    `backbone`, or with none of them; then nothing conditions, and nothing guides.
    """

    weights: Annotated[Name, RefersTo("weights")] = Field(
        description="SparseStructureFlowModel: an asset, or a model of kind `ss_flow`"
    )
    decoder: Decoder = Field(description=DECODER)
    count: int = Field(6, ge=1, le=12, description="samples, per item where items condition")
    steps: int = Field(25, ge=1, le=1000, description="Euler steps")
    rescale_t: float = Field(3.0, gt=0, description="warp of the times towards noise; 1 = none")
    guidance: float = Field(5.0, ge=0, description="w in (1 + w) v_cond - w v_0; 0 = plain")
    interval: tuple[float, float] = Field((0.5, 1.0), description="times at which guidance applies")
    dataset: Annotated[Name, RefersTo("datasets")] | None = Field(None, description="of the items")
    items: ItemIds | Count = Field(3, description=ITEMS)
    render: Annotated[Name, RefersTo("renders")] | None = Field(None, description="their views")
    view: int = Field(1, ge=0, description="number of the view that conditions")
    image_encoder: Annotated[Name, RefersTo("weights")] | None = Field(
        None, description="weights of the image encoder (DINOv2 layout)"
    )
    backbone: Backbone | None = Field(None, description="registry name of the image encoder")
    image_size: int = Field(518, ge=28, le=1036, description="picture size, pixels")

    @model_validator(mode="after")
    def _the_interval_holds_times(self):
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"interval: [{low:g}, {high:g}] is not two times in 0..1, the smaller one first"
            )
        return self

    @model_validator(mode="after")
    def _pictures_are_named_in_full(self):
        parts = ("dataset", "render", "image_encoder", "backbone")
        missing = [name for name in parts if getattr(self, name) is None]
        if missing and len(missing) < len(parts):
            raise ValueError(f"pictures of items need {', '.join(missing)} too")
        return self
