"""Training of a small image encoder: one surface point, two views, one descriptor."""

from typing import Annotated, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo
from semcorr.config.modules import Backbone
from semcorr.config.training import Training

SECTION = "models"


class Options(Training):
    """InfoNCE between the pixels of two views that show the same surface point."""

    kind: Literal["multiview_contrastive"]
    backbone: Backbone = Field("tiny_convnext", description="name in the backbone registry")
    datasets: tuple[Annotated[Name, RefersTo("datasets")], ...] = Field(
        min_length=1, description="rendered training shapes"
    )
    render: Annotated[Name, RefersTo("renders")]
    size: int = Field(112, ge=28, description="picture size, pixels; that of `render`")
    held_out: int = Field(16, ge=1, description="shapes that are kept for validation")
    copies: int = Field(
        2, ge=0, le=16, description="copies of each shape in other proportions, by the ray caster"
    )
    deformation: float = Field(
        0.4, ge=0, le=2, description="largest log of a part's stretch in copies"
    )
    stretch: float = Field(
        0.2, ge=0, le=1, description="largest log of a part's stretch in pictures"
    )
    points: int = Field(96, ge=8, description="surface points that both pictures of a pair show")
    others: int = Field(
        96, ge=8, description="further points of each picture, to be told from them"
    )
    place_weight: float = Field(
        0.5, ge=0, description="weight of reading height, radius and slope from the descriptors"
    )
    temperature: float = Field(0.2, gt=0, le=1, description="of the softmax over cosines")
    sigma: float = Field(0.15, gt=0, le=1, description="width of the target, longest side = 1")
