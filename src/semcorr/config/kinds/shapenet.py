"""Data set of ShapeNetCore v2 meshes from a local folder, with part labels from labelled points."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from semcorr.config.base import Variant

SECTION = "datasets"


class Options(Variant):
    """One category (synset) of ShapeNetCore v2; it is gated, and taken from where you put it."""

    PLANNING: ClassVar[frozenset[str]] = frozenset(
        {"root", "ids", "points", "annotations", "category", "chunks"}
    )
    TRUTH_ONLY: ClassVar[frozenset[str]] = frozenset({"labels", "classes", "legacy_alignment"})

    kind: Literal["shapenet"]
    root: str = Field(
        description="folder of ShapeNetCore.v2, which holds the synsets' folders; environment"
        " variables are expanded"
    )
    synset: str = Field(
        pattern=r"^\d{8}$", description='eight digits in quotes, such as "02691156" (airplanes)'
    )
    category: str = Field("", description="name that experiments choose by; empty = the synset")
    ids: str | None = Field(
        None, description="file with one id a line, or CSV with `modelId` or `id`; null = all"
    )
    chunks: int = Field(1, ge=1, le=100_000, description="number of hash buckets of item ids")
    max_vertices: int = Field(2_000_000, ge=3, description="larger meshes are refused, not read")
    points: str | None = Field(
        None, description="folder of ShapeNet-Part: points with labels; null = no labels"
    )
    annotations: str | None = Field(
        None,
        description="folder of positions listed per part, {synset}/{id}.json; they count before points",
    )
    labels: dict[int, str] = Field(
        default_factory=dict, description="part that each label of the points stands for"
    )
    classes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="parts that each class consists of, of which the labels are made; parts in no"
        " class are left out; empty = every part by itself",
    )
    legacy_alignment: bool = Field(
        False, description="place the points as published, which is worse (docs/shapenet.md)"
    )

    @field_validator("synset", mode="before")
    @classmethod
    def _digits_are_text(cls, value: Any) -> Any:
        if isinstance(value, int):
            raise ValueError("write it in quotes: YAML takes digits without them for a number")
        return value

    @model_validator(mode="after")
    def _labels_have_names(self):
        if self.points is not None and not self.labels:
            raise ValueError("labels: say which part each label of `points` stands for")
        if not all([*self.labels.values(), *self.classes]):
            raise ValueError("labels, classes: a part or class has an empty name")
        return self

    @model_validator(mode="after")
    def _every_part_has_one_class(self):
        owner: dict[str, str] = {}
        for name, parts in self.classes.items():
            if not parts:
                raise ValueError(f"classes.{name}: has no part")
            for part in parts:
                if part in owner:
                    raise ValueError(f"classes.{name}: {part!r} is in {owner[part]!r} already")
                owner[part] = name
                # annotations have parts of their own, which are known when they are read
                if self.annotations is None and part not in self.labels.values():
                    raise ValueError(
                        f"classes.{name}: no part {part!r} in `labels`"
                        f" (there are: {', '.join(self.labels.values()) or 'none'})"
                    )
        return self
