"""A white page on which pictures and short texts are placed: the layout of contact sheets."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

INK, SOFT, FAINT = (29, 31, 35), (102, 107, 115), (220, 220, 215)


@cache
def font(points: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it: the same glyphs on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), points, layout_engine=ImageFont.Layout.BASIC)


class Canvas:
    """An RGB page; places are (x, y) in pixels from the upper left corner."""

    def __init__(self, width: int, height: int):
        self.image = Image.new("RGB", (width, height), (255, 255, 255))
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self,
        place: tuple[int, int],
        text: str,
        points: int = 13,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        anchor: str = "la",
        width: int | None = None,
    ) -> None:
        """Write one line; with `width` it is cut with an ellipsis where it does not fit.

        `anchor` is Pillow's: first letter l, m, r (horizontal), second a, m, s, d (vertical).
        """
        face = font(points, bold)
        line = " ".join(text.split())
        if width is not None:
            line = fit(line, face, width)
        self.draw.text(place, line, font=face, fill=colour, anchor=anchor)

    def picture(self, place: tuple[int, int], picture: UInt8[np.ndarray, "h w 4"]) -> None:
        """Lay an RGBA picture over the page."""
        layer = Image.fromarray(picture)
        self.image.paste(layer, place, layer)

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Draw a hairline."""
        self.draw.line((start, end), fill=FAINT, width=1)

    def swatch(self, place: tuple[int, int], size: int, colour: tuple[int, int, int]) -> None:
        """Draw a square of colour with rounded corners."""
        x, y = place
        self.draw.rounded_rectangle((x, y, x + size, y + size), radius=3, fill=tuple(colour))

    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """The page as an array."""
        return np.asarray(self.image).copy()


def fit(line: str, face: ImageFont.FreeTypeFont, width: int) -> str:
    """The line, or as much of both its ends as fits into `width` pixels with an ellipsis between.

    Ids of one set often differ at their ends alone.
    """
    if face.getlength(line) <= width:
        return line
    for kept in range(len(line) - 1, 0, -1):
        start, end = line[: (kept + 1) // 2].rstrip(), line[len(line) - kept // 2 :].lstrip()
        if face.getlength(short := f"{start}\u2026{end}") <= width:
            return short
    return "\u2026"


def text_width(text: str, points: int, bold: bool = False) -> int:
    """Width of one line in pixels, rounded up."""
    return int(np.ceil(font(points, bold).getlength(text)))
