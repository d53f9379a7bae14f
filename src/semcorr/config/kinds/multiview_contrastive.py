"""Training of a small image encoder: one surface point, two views, one descriptor."""

from typing import Annotated, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo
from semcorr.config.training import Training

SECTION = "models"


class Options(Training):
    """InfoNCE between the pixels of two views that show the same surface point."""

    kind: Literal["multiview_contrastive"]
    backbone: Name = Field("tiny_vit", description="name in the backbone registry")
    dataset: Annotated[Name, RefersTo("datasets")] = Field(description="rendered training shapes")
    render: Annotated[Name, RefersTo("renders")]
    size: int = Field(112, ge=28, description="picture size, pixels")
    points: int = Field(192, ge=8, description="surface points per pair of views")
    temperature: float = Field(0.07, gt=0, le=1)
