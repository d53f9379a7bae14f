"""`coseg:`, `keypoints:` ... who is matched with whom, in which poses, by which methods."""

from typing import Annotated, Literal

from pydantic import Field

from semcorr.config.base import Name, Strict

Text = Annotated[str, Field(min_length=1, max_length=200)]
ItemIds = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]


class Experiment(Strict):
    """All pairs (source, target) with source != target, of one category, in every pose.

    In the section `dense` only those whose dense correspondence is known.
    """

    category: Text = Field(description="of the items, as `category` of items.csv says")
    poses: dict[Name, Name] = Field(min_length=1, description="pose name -> data set")
    sources: Literal["all"] | ItemIds | Count = Field(
        3, description="ids of the annotated shapes, how many of the first ids, or all"
    )
    targets: Literal["all"] | ItemIds = Field("all", description="ids, or all of the category")
    methods: tuple[Name, ...] = Field(
        min_length=1, description="columns of the table, in this order"
    )
