"""Data set of procedurally generated shapes (made by us, ground truth by construction)."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant
from semcorr.config.modules import Category

SECTION = "datasets"


class Options(Variant):
    """Shapes number 0..count-1 of the family (category, seed)."""

    PLANNING: ClassVar[frozenset[str]] = frozenset({"count", "chunks"})

    kind: Literal["procedural"]
    category: Category = Field("chair", description="module name in datasets/shapes")
    count: int = Field(24, ge=1, description="number of shapes")
    family: int = Field(
        0, ge=0, alias="seed", description="seed of the family; other seeds, other shapes"
    )
    chunks: int = Field(1, ge=1, le=100_000, description="number of hash buckets of item ids")

    def code_modules(self) -> tuple[str, ...]:
        """Return the module of the category's grammar."""
        return (f"semcorr.datasets.shapes.{self.category}",)
