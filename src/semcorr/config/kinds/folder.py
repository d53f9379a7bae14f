"""Data set in a folder: items.csv, meshes and optional labels, keypoints, symmetry."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant

SECTION = "datasets"


class Options(Variant):
    """What users bring; the format is described in docs/datasets.md."""

    PLANNING: ClassVar[frozenset[str]] = frozenset({"root", "chunks", "items"})

    kind: Literal["folder"]
    root: str = Field(description="folder with items.csv; environment variables are expanded")
    items: str = Field("items.csv", description="item list inside the folder")
    chunks: int = Field(1, ge=1, le=100_000, description="number of hash buckets of item ids")
    max_vertices: int = Field(2_000_000, ge=3, description="larger meshes are refused, not read")
