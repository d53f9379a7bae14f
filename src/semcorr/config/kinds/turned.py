"""Data set made of another one by turning every item before anything else."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from semcorr.config.base import Name, RefersTo, Variant

SECTION = "datasets"


class Options(Variant):
    """Every item of `from`, sources included, turned by an angle or a rotation from (seed, item id)."""

    PLANNING: ClassVar[frozenset[str]] = frozenset({"from_"})

    kind: Literal["turned"]
    from_: Annotated[Name, RefersTo("datasets")] = Field(
        alias="from", description="data set to turn"
    )
    yaw: Literal["random"] | float = Field(
        "random", description="degrees about +Z, or `random` per item"
    )
    rotation: Literal["yaw", "any"] = Field(
        "yaw", description="`yaw`: about +Z; `any`: uniformly drawn from all rotations, per item"
    )

    @model_validator(mode="after")
    def _any_rotation_has_no_angle(self):
        if self.rotation == "any" and self.yaw != "random":
            raise ValueError(f"yaw: {self.yaw:g} degrees are for rotation: yaw, not for any")
        return self
