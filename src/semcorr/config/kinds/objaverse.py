"""Data set of Objaverse: objects named in a list, downloaded from the hub chunk by chunk."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant

SECTION = "datasets"
DEFAULT_URL = "https://huggingface.co/datasets/allenai/objaverse/resolve/main"


class Options(Variant):
    """What `python -m semcorr.stages.objaverse_list` wrote, or a list of ids; docs/objaverse.md."""

    DOWNLOADED: ClassVar[bool] = True
    PLANNING: ClassVar[frozenset[str]] = frozenset(
        {"list", "chunks", "url", "truth", "connections"}
    )

    kind: Literal["objaverse"]
    list: str = Field(
        description="item list: .csv, or lines `000-023/{id}`; variables are expanded"
    )
    chunks: int = Field(1, ge=1, le=100_000, description="number of hash buckets of item ids")
    url: str = Field(DEFAULT_URL, description="address below which `glbs/` lies")
    truth: str | None = Field(
        None, description="folder with labels/ and keypoints/ of some items; variables are expanded"
    )
    connections: int = Field(4, ge=1, le=32, description="downloads of a job at once")
    max_bytes: int = Field(256_000_000, ge=1, description="larger objects are refused")
    max_vertices: int = Field(2_000_000, ge=3, description="larger meshes are refused, not read")
