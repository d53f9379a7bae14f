"""`coseg:`, `keypoints:` and `texture:` who is matched with whom, in which poses, by which methods."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from semcorr.config.base import Name, Strict

Text = Annotated[str, Field(min_length=1, max_length=200)]
ItemIds = Annotated[tuple[Text, ...], Field(min_length=1)]
Voters = Annotated[int, Field(strict=True, ge=2)] | Literal["all"]
Count = Annotated[int, Field(strict=True, ge=1)]


class Experiment(Strict):
    """All pairs (source, target) with source != target, of one category, in every pose."""

    category: Text = Field(description="of the items, as `category` of items.csv says")
    poses: dict[Name, Name] = Field(min_length=1, description="pose name -> data set")
    sources: ItemIds | Count = Field(
        3, description="ids of the annotated shapes, or how many of the first ids (at least 1)"
    )
    targets: Literal["all"] | ItemIds = Field("all", description="ids, or all of the category")
    methods: tuple[Name, ...] = Field(
        min_length=1, description="columns of the table, in this order"
    )


class Cosegmentation(Experiment):
    """Parts carried from each source alone, and from several that vote."""

    votes: tuple[Voters, ...] = Field(
        (),
        description="how many sources vote together, a row of the table each (at least 2, or all)",
    )

    @model_validator(mode="after")
    def _voters_are_sources(self):
        count = self.sources if isinstance(self.sources, int) else len(self.sources)
        for voters in self.votes:
            if voters != "all" and voters > count:
                raise ValueError(f"votes: {voters} cannot vote, there are {count} sources")
        return self
