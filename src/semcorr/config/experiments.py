"""`coseg:`, `keypoints:` ... who is matched with whom, in which poses, by which methods."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from semcorr.config.base import Name, Strict

Text = Annotated[str, Field(min_length=1, max_length=200)]
ItemIds = Annotated[tuple[Text, ...], Field(min_length=1)]
Voters = Annotated[int, Field(strict=True, ge=2)] | Literal["all"]
Count = Annotated[int, Field(strict=True, ge=1)]


class Experiment(Strict):
    """All pairs (source, target) with source != target, in every pose."""

    category: Text = Field(description="of the items, as `category` of items.csv says")
    poses: dict[Name, Name] = Field(min_length=1, description="pose name -> data set")
    source_category: Text | None = Field(
        None, description="of the sources, where it is another than that of the targets"
    )
    source_poses: dict[Name, Name] = Field(
        default_factory=dict,
        description="pose name -> data set of the sources, where it is another than that of the"
        " targets; all poses, or none",
    )
    sources: Literal["all"] | ItemIds | Count = Field(
        3, description="ids of the annotated shapes, how many of the first ids, or all"
    )
    targets: Literal["all"] | ItemIds = Field("all", description="ids, or all of the category")
    methods: tuple[Name, ...] = Field(
        min_length=1, description="columns of the table, in this order"
    )
    colours: Literal["positions", "rainbow"] = Field(
        "positions", description="of the sheets of maps: vivid, or the published rainbow"
    )

    @model_validator(mode="after")
    def _nothing_comes_twice(self):
        for key in ("sources", "targets", "methods", "votes"):
            values = getattr(self, key, ())
            if isinstance(values, tuple) and len(set(values)) < len(values):
                twice = next(value for value in values if values.count(value) > 1)
                raise ValueError(f"{key}: {twice!r} comes twice")
        return self

    @model_validator(mode="after")
    def _sources_have_the_poses(self):
        if self.source_poses and self.source_poses.keys() != self.poses.keys():
            raise ValueError(
                f"source_poses: {', '.join(self.source_poses)}; `poses` has {', '.join(self.poses)}"
            )
        return self

    def source_dataset(self, pose: str) -> str:
        """Return the data set of the sources of a pose."""
        return self.source_poses.get(pose, self.poses[pose])

    def datasets(self) -> set[str]:
        """Return all data sets that sources or targets come from."""
        return {*self.poses.values(), *self.source_poses.values()}


class Dense(Experiment):
    """Those pairs of one data set whose dense correspondence is known."""

    @model_validator(mode="after")
    def _of_one_set(self):
        if self.source_poses or self.source_category:
            raise ValueError(
                "source_poses and source_category: only pairs of one set have a known dense"
                " correspondence; leave them out"
            )
        return self


class Cosegmentation(Experiment):
    """Parts carried from each source alone, and from several that vote."""

    part_names: dict[Text, Text] = Field(
        default_factory=dict,
        description="part name in the data -> name that it goes by here; several may become one",
    )
    votes: tuple[Voters, ...] = Field(
        (),
        description="how many sources vote together, a row of the table each (at least 2, or all)",
    )

    @model_validator(mode="after")
    def _voters_are_sources(self):
        if self.sources == "all":
            return self
        count = self.sources if isinstance(self.sources, int) else len(self.sources)
        for voters in self.votes:
            if voters != "all" and voters > count:
                raise ValueError(f"votes: {voters} cannot vote, there are {count} sources")
        return self
