"""The still picture of a pair: both shapes in correspondence colours, and the confidence."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.geometry.frames import used_box
from semcorr.geometry.mesh import Mesh
from semcorr.report.canvas import SOFT, Canvas
from semcorr.report.colours import (
    CONFIDENCE_ENDS,
    NO_MATCH,
    carried_colours,
    confidence_colours,
    position_colours,
)
from semcorr.report.picture import FRONT_LEFT, look_at, paint_vertices

BACK_RIGHT = (FRONT_LEFT[0] + 180.0, FRONT_LEFT[1])
MARGIN, GAP, TITLE, LEGEND = 28, 18, 58, 30


@dataclass(frozen=True)
class PairText:
    """Words of the picture."""

    title: str
    subtitle: str
    source_name: str
    target_name: str


def pair_picture(
    text: PairText,
    source: Mesh,
    target: Mesh,
    target_to_source: Int[np.ndarray, " t"],
    confidence: Float[np.ndarray, " t"],
    size: int = 340,
) -> UInt8[np.ndarray, "h w 3"]:
    """Source, target and target's confidence, each from the front and from behind.

    Args:
        text: words.
        source: v vertices, axes as in the world frame, any scale.
        target: t vertices.
        target_to_source: (t,) source vertex of each target vertex, -1 = none.
        confidence: (t,) 0..1, NaN = unknown.
        size: side of each picture in pixels.
    """
    own = position_colours(source.vertices, used_box(source.vertices, source.faces))
    known = np.where(target_to_source >= 0, confidence, np.nan)
    columns = [
        ("Source", text.source_name, source, own),
        ("Target", text.target_name, target, carried_colours(own, target_to_source)),
        ("Confidence", "of each target point", target, confidence_colours(known, 0.0, 1.0)),
    ]
    head = MARGIN + 60
    page = Canvas(2 * MARGIN + 3 * size + 2 * GAP, head + TITLE + 2 * size + GAP + LEGEND + MARGIN)
    width = page.image.width
    page.text((MARGIN, MARGIN), text.title, 20, bold=True, width=width - 2 * MARGIN)
    page.text((MARGIN, MARGIN + 30), text.subtitle, 13, colour=SOFT, width=width - 2 * MARGIN)
    looks = {}
    for i, (title, name, mesh, colours) in enumerate(columns):
        x = MARGIN + i * (size + GAP)
        page.text((x + size // 2, head + 8), title, 14, bold=True, anchor="ma")
        page.text((x + size // 2, head + 28), name, 12, colour=SOFT, anchor="ma", width=size)
        for j, view in enumerate((FRONT_LEFT, BACK_RIGHT)):
            if (id(mesh), j) not in looks:
                looks[id(mesh), j] = look_at(mesh, size, view)
            picture = paint_vertices(looks[id(mesh), j], mesh.faces, colours)
            page.picture((x, head + TITLE + j * (size + GAP)), picture)
    bottom = head + TITLE + 2 * size + GAP + LEGEND // 2
    _confidence_bar(page, (MARGIN + 2 * (size + GAP) + size // 2, bottom))
    if (target_to_source < 0).any():
        x = MARGIN + (size + GAP) + size // 2 - 40
        page.swatch((x, bottom), 13, tuple(int(c) for c in NO_MATCH))
        page.text((x + 21, bottom), "no match", 12, colour=SOFT)
    return page.pixels()


def _confidence_bar(page: Canvas, middle: tuple[int, int]) -> None:
    """A strip of the colour scale with its ends, which are those of every pair."""
    width, height = 140, 13
    x, y = middle[0] - width // 2, middle[1]
    shades = confidence_colours(np.linspace(0.0, 1.0, width), 0.0, 1.0)
    strip = np.concatenate([shades, np.full((width, 1), 255, np.uint8)], axis=1)
    page.picture((x, y), np.ascontiguousarray(np.broadcast_to(strip, (height, width, 4))))
    page.text((x - 7, y), CONFIDENCE_ENDS[0], 12, colour=SOFT, anchor="ra")
    page.text((x + width + 7, y), CONFIDENCE_ENDS[1], 12, colour=SOFT)
