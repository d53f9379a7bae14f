"""Pictures as files; apart from how they are drawn, since textures of exported meshes need this alone."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def png_bytes(picture: UInt8[np.ndarray, "h w c"]) -> bytes:
    """PNG file of an RGB or RGBA picture, without metadata; equal pictures give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="png", compress_level=7)
    return buffer.getvalue()
