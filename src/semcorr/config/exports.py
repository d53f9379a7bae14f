"""`exports:` which coloured meshes the target `exports` writes."""

from typing import Literal

from pydantic import Field

from semcorr.config.base import Strict

Colouring = Literal[
    "positions", "parts", "rainbow", "confidence", "cycle", "texture", "texture_parts"
]


class Exports(Strict):
    """Coloured meshes of experiments, on request."""

    colourings: tuple[Colouring, ...] = Field(
        ("positions", "parts", "rainbow", "confidence", "cycle", "texture"),
        min_length=1,
        description="what the colours show, a folder each: position in the source (vivid, or as the"
        " published rainbow), parts, confidence, how well the way back leads home (cycle), and the"
        " source's texture, dense or by parts; what a shape lacks is left out",
    )
    formats: tuple[Literal["ply", "glb"], ...] = Field(
        ("ply", "glb"),
        min_length=1,
        description="files a mesh; a texture is baked into a picture in glb, colours vertices in ply",
    )
    texture_size: int = Field(512, ge=16, le=8192, description="pixels a side of baked textures")
    padding: int = Field(4, ge=0, le=64, description="pixels that colours go on beyond a seam")
    no_derivatives: bool = Field(
        False,
        description="also write shapes whose licence forbids derivatives (by-nd): not to be shared",
    )
