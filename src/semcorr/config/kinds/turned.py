"""Data set made of another one by turning every item about the up axis before anything else."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "datasets"


class Options(Variant):
    """Every item of `from`, sources included, turned by an angle from (seed, item id)."""

    PLANNING: ClassVar[frozenset[str]] = frozenset({"from_"})

    kind: Literal["turned"]
    from_: Annotated[Name, RefersTo("datasets")] = Field(
        alias="from", description="data set to turn"
    )
    yaw: Literal["random"] | float = Field(
        "random", description="degrees about +Z, or `random` per item"
    )
