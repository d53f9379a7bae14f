"""Data set of Objaverse-XL: single files of four sources, named in a list, downloaded chunk by chunk."""

from typing import ClassVar, Literal

from pydantic import Field

from semcorr.config.base import Variant
from semcorr.config.kinds.objaverse import DEFAULT_URL

SECTION = "datasets"


class Options(Variant):
    """What `python -m semcorr.stages.objaverse_xl_list` wrote; docs/objaverse.md."""

    DOWNLOADED: ClassVar[bool] = True
    PLANNING: ClassVar[frozenset[str]] = frozenset(
        {"list", "chunks", "truth", "connections", "github", "thingiverse", "smithsonian"}
        | {"sketchfab"}
    )

    kind: Literal["objaverse_xl"]
    list: str = Field(description="item list, .csv with `identifier`; variables are expanded")
    chunks: int = Field(1, ge=1, le=100_000, description="number of hash buckets of item ids")
    truth: str | None = Field(
        None, description="folder with labels/ and keypoints/ of some items; variables are expanded"
    )
    connections: int = Field(4, ge=1, le=32, description="downloads of a job at once")
    max_bytes: int = Field(256_000_000, ge=1, description="larger objects are refused")
    max_vertices: int = Field(2_000_000, ge=3, description="larger meshes are refused, not read")
    github: str = Field(
        "https://raw.githubusercontent.com", description="address of single files of GitHub"
    )
    thingiverse: str = Field("https://www.thingiverse.com", description="address of Thingiverse")
    smithsonian: str = Field("https://3d-api.si.edu", description="address of the Smithsonian")
    sketchfab: str = Field(DEFAULT_URL, description="address below which Objaverse's `glbs/` lies")
