"""Base colour pictures of meshes. A missing or broken picture is a warning, not a failure."""

import io
import logging

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from semcorr.geometry.formats.source import Source

log = logging.getLogger(__name__)

# Only formats that Pillow decodes itself: no PostScript, which would start another program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF")
# Decoded pictures of one mesh together: 1 GiB of RGBA.
MAX_PIXELS = 2**28
MAX_PIXELS_EACH = 2**26


class Pictures:
    """Reads pictures once each and stops before their sum becomes too large."""

    def __init__(self, source: Source):
        self.source = source
        self._cache: dict[object, UInt8[np.ndarray, "h w 4"] | None] = {}
        self._pixels = 0

    def from_file(self, reference: str) -> UInt8[np.ndarray, "h w 4"] | None:
        """Read the picture that the mesh file names; None (and a warning) where it is missing.

        Raises:
            ItemError: (status `outside`) the path leaves the folder of the mesh.
        """
        if reference in self._cache:
            return self._cache[reference]
        path = self.source.beside(reference)
        picture = None
        if path.is_file():
            picture = self.from_bytes(path.read_bytes(), reference)
        else:
            log.warning("%s: texture %s is missing", self.source.path.name, reference)
        self._cache[reference] = picture
        return picture

    def from_bytes(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w 4"] | None:
        """Decode one picture; None (and a warning) where it cannot be decoded or is too large."""
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                pixels = picture.width * picture.height
                if pixels > MAX_PIXELS_EACH or self._pixels + pixels > MAX_PIXELS:
                    raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
                decoded = np.asarray(picture.convert("RGBA"))
        # Pillow's decoders raise these for broken data; SyntaxError is its word for a broken PNG
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            log.warning("%s: texture %s is not usable: %s", self.source.path.name, name, error)
            return None
        self._pixels += pixels
        return decoded
