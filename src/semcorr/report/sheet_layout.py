"""Layout of contact sheets: a header of sources with a legend, then a table of pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from semcorr.report.canvas import INK, SOFT, Canvas, text_width

MARGIN, GAP, CAPTION = 28, 14, 22
LEGEND_ROWS = 7
LEAST_CELL = 124  # pixels: room for a method's name and its mean


def under_bar(rows: Sequence[Any]) -> Iterable[Any]:
    """Return what the rows of a sheet are drawn of, under a progress bar: a row can take a minute."""
    return tqdm(rows, desc="drawing", unit="row", mininterval=2)


@dataclass(frozen=True)
class SheetText:
    """Words of a sheet; `score` names the means below the methods: of the rows, not of a table."""

    title: str
    subtitle: str = ""
    score: str = "rows: mean IoU"
    method_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One picture (None = only the caption, in its place) and the words below it."""

    picture: UInt8[np.ndarray, "s s 4"] | None
    caption: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table; `note` is small print below the name."""

    name: str
    note: str
    cells: list[Cell]


def sheet(
    text: SheetText,
    header: list[Cell],
    columns: Sequence[str],
    rows: list[Row],
    legend: Sequence[tuple[Sequence[int], str]],
    means: Mapping[str, float],
) -> UInt8[np.ndarray, "h w 3"]:
    """Lay a sheet out; all pictures (squares of one size) are cropped to one common window.

    Args:
        text: words above.
        header: the sources; may be empty.
        columns: titles of the rows' cells.
        rows: one a target.
        legend: (colour, name) beside the sources.
        means: column -> mean score, written below its title.
    """
    header, rows, wide, high = _cropped(header, rows)
    names = [text_width(row.name, 13) for row in rows]
    name_width = max([70, *names, *(text_width(row.note, 11) for row in rows)])
    left = MARGIN + min(name_width, 190) + GAP
    head = MARGIN + 30 + (24 if text.subtitle else 0) + 10
    sources_end = head + (high + CAPTION + GAP if header or legend else 0)
    titles_end = sources_end + 54
    header_width = len(header) * (wide + GAP) + _legend_width(legend)
    width = left + max(len(columns) * (wide + GAP), header_width) - GAP + MARGIN
    width = max(width, _heading_width(text) + 2 * MARGIN)
    height = titles_end + len(rows) * (high + CAPTION + GAP) - GAP + MARGIN // 2
    page = Canvas(width, height)
    page.text((MARGIN, MARGIN), text.title, 20, bold=True, width=width - 2 * MARGIN)
    if text.subtitle:
        page.text((MARGIN, MARGIN + 30), text.subtitle, 13, colour=SOFT, width=width - 2 * MARGIN)
    if header:
        word = "Source" if len(header) == 1 else "Sources"
        page.text((MARGIN, head + high // 2), word, 13, bold=True, anchor="lm")
    for i, cell in enumerate(header):
        _place(page, (left + i * (wide + GAP), head), (wide, high), cell)
    _legend(page, (left + len(header) * (wide + GAP) + GAP, head + high // 2), legend)
    page.line((MARGIN, sources_end), (width - MARGIN, sources_end))
    for i, column in enumerate(columns):
        x = left + i * (wide + GAP) + wide // 2
        shown = text.method_names.get(column, column)
        page.text((x, sources_end + 13), shown, 13, bold=True, anchor="ma", width=wide + GAP - 4)
        if column in means:
            mean = f"{text.score} {means[column]:.3f}"
            page.text((x, sources_end + 31), mean, 11, colour=SOFT, anchor="ma")
    for j, row in enumerate(rows):
        y = titles_end + j * (high + CAPTION + GAP)
        page.text((MARGIN, y + high // 2), row.name, 13, anchor="lm", width=left - MARGIN - GAP)
        below = (MARGIN, y + high // 2 + 17)
        page.text(below, row.note, 11, colour=SOFT, anchor="lm", width=left - MARGIN - GAP)
        for i, cell in enumerate(row.cells):
            _place(page, (left + i * (wide + GAP), y), (wide, high), cell)
    return page.pixels()


def nothing_to_show(text: SheetText, why: str) -> UInt8[np.ndarray, "h w 3"]:
    """Return the heading of a sheet with one line where its pictures would be."""
    width = max(_heading_width(text), text_width(why, 13)) + 2 * MARGIN
    page = Canvas(width, 4 * MARGIN + 30)
    page.text((MARGIN, MARGIN), text.title, 20, bold=True)
    page.text((MARGIN, MARGIN + 30), text.subtitle, 13, colour=SOFT)
    page.text((MARGIN, 2 * MARGIN + 30), why, 13)
    return page.pixels()


def _heading_width(text: SheetText) -> int:
    return max(text_width(text.title, 20, bold=True), text_width(text.subtitle, 13))


def _cropped(header: list[Cell], rows: list[Row]):
    """Crop every picture to the smallest common window; at least `LEAST_CELL` wide."""
    cells = [*header, *(cell for row in rows for cell in row.cells)]
    covered = np.any([c.picture[..., 3] > 0 for c in cells if c.picture is not None], axis=0)
    size = covered.shape[0]
    down = np.flatnonzero(covered.any(axis=1))
    across = np.flatnonzero(covered.any(axis=0))
    top, bottom = down[0], down[-1] + 1
    # symmetric about the middle, so that captions stay centred
    half = max(size // 2 - across[0], across[-1] + 1 - size // 2, LEAST_CELL // 2)
    first, last = max(size // 2 - half, 0), min(size // 2 + half, size)

    def crop(cell: Cell) -> Cell:
        if cell.picture is None:
            return cell
        return replace(cell, picture=cell.picture[top:bottom, first:last])

    rows = [replace(row, cells=[crop(cell) for cell in row.cells]) for row in rows]
    return [crop(cell) for cell in header], rows, int(last - first), int(bottom - top)


def _place(page: Canvas, corner: tuple[int, int], size: tuple[int, int], cell: Cell) -> None:
    x, y = corner
    wide, high = size
    if cell.picture is None:
        middle = (x + wide // 2, y + high // 2)
        page.text(middle, cell.caption or "none", 12, colour=SOFT, anchor="mm")
        return
    page.picture(corner, cell.picture)
    page.text(
        (x + wide // 2, y + high + 4),
        cell.caption,
        12,
        bold=cell.strong,
        colour=INK if cell.strong else SOFT,
        anchor="ma",
        width=wide + GAP - 4,
    )


def _legend_columns(legend) -> list[list]:
    return [legend[i : i + LEGEND_ROWS] for i in range(0, len(legend), LEGEND_ROWS)]


def _legend_width(legend) -> int:
    return sum(
        44 + max(text_width(name, 12) for _, name in column) for column in _legend_columns(legend)
    )


def _legend(page: Canvas, middle: tuple[int, int], legend) -> None:
    """Swatches in columns, centred on a height."""
    x, y = middle
    top = y - 11 * min(len(legend), LEGEND_ROWS)
    for column in _legend_columns(legend):
        for i, (colour, name) in enumerate(column):
            page.swatch((x, top + 22 * i), 13, tuple(int(c) for c in colour))
            page.text((x + 21, top + 22 * i), name, 12)
        x += 44 + max(text_width(name, 12) for _, name in column)
