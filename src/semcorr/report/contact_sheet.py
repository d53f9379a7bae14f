"""Contact sheets: sources above, one target a row, ground truth and every method side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.geometry.frames import used_box
from semcorr.geometry.mesh import Mesh
from semcorr.report.colours import (
    NO_MATCH,
    carried_colours,
    label_colours,
    position_colours,
)
from semcorr.report.picture import Look, look_at, nearest_sites, paint_faces, paint_points
from semcorr.report.sheet_layout import Cell, Row, SheetText, nothing_to_show, sheet, under_bar

__all__ = [
    "Prediction",
    "SheetSource",
    "SheetTarget",
    "SheetText",
    "correspondence_sheet",
    "part_sheet",
]

# (points (n, 3), box (2, 3)) -> colours (n, 3)
PointColours = Callable[[np.ndarray, np.ndarray], np.ndarray]
NO_MAP = "nothing to show: no pair has a map"


@dataclass(frozen=True)
class SheetSource:
    """A shape whose labels or positions are carried.

    Attributes:
        name: caption.
        mesh: world frame.
        face_labels: (f,) part of each face, -1 = none, or None (no labels); for `part_sheet`.
        sites: (n, 3) positions that the maps index; needed by `correspondence_sheet`.
    """

    name: str
    mesh: Mesh
    face_labels: Int[np.ndarray, " f"] | None = None
    sites: Float[np.ndarray, "n 3"] | None = None


@dataclass(frozen=True)
class Prediction:
    """What one method says about one target.

    Attributes:
        source: index into the sheet's sources, or those of all sources that voted.
        target_to_source: (n,) source site of each target site, -1 = none (`correspondence_sheet`).
        labels: (n,) part of each target site, -1 = none (`part_sheet`).
        score: value in 0..1 for the caption, e.g. the mean IoU; None leaves it out.
    """

    source: int | tuple[int, ...] = 0
    target_to_source: Int[np.ndarray, " n"] | None = None
    labels: Int[np.ndarray, " n"] | None = None
    score: float | None = None


@dataclass(frozen=True)
class SheetTarget:
    """One row.

    Attributes:
        name: caption.
        mesh: world frame.
        sites: (n, 3) positions on the surface at which predictions are given; dense enough to look
            like a surface (the 4096 samples of a shape are).
        site_normals: (n, 3) normals of the sites' faces as wound, or None.
        face_labels: (f,) ground truth, -1 = none, or None (no ground truth).
        predictions: by method; a method without a result is left out.
    """

    name: str
    mesh: Mesh
    sites: Float[np.ndarray, "n 3"]
    site_normals: Float[np.ndarray, "n 3"] | None = None
    face_labels: Int[np.ndarray, " f"] | None = None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)


def part_sheet(
    text: SheetText,
    sources: Sequence[SheetSource],
    targets: Sequence[SheetTarget],
    methods: Sequence[str],
    part_names: Sequence[str],
    size: int = 200,
) -> UInt8[np.ndarray, "h w 3"]:
    """Part colours: sources with their labels above; ground truth and every method a target.

    The best score of a row, as printed, is bold. Without targets the picture says so.
    """
    if not targets:
        return nothing_to_show(text, NO_MAP)
    header = [Cell(_parts_of(source, size), source.name) for source in sources]
    rows = []
    unlabelled = any(s.face_labels is None or bool((s.face_labels < 0).any()) for s in sources)
    for target in under_bar(targets):
        look = look_at(target.mesh, size)
        truth = None
        if target.face_labels is not None:
            truth = paint_faces(look, label_colours(target.face_labels))
            unlabelled |= bool((target.face_labels < 0).any())
        cells = _method_cells(
            look, target, methods, lambda shown: label_colours(np.asarray(shown.labels))
        )
        unlabelled |= any(bool((p.labels < 0).any()) for p in target.predictions.values())
        rows.append(Row(target.name, _origin(target, sources), [Cell(truth), *cells]))
    legend = [(label_colours(np.array([label]))[0], name) for label, name in enumerate(part_names)]
    if unlabelled:
        legend.append((NO_MATCH, "no label"))
    columns = ["Ground truth", *methods]
    return sheet(text, header, columns, rows, legend, _means(targets, methods))


def correspondence_sheet(
    text: SheetText,
    sources: Sequence[SheetSource],
    targets: Sequence[SheetTarget],
    methods: Sequence[str],
    size: int = 200,
    colours: PointColours = position_colours,
) -> UInt8[np.ndarray, "h w 3"]:
    """Colours of positions in the sources, carried to every target along each method's map.

    Args:
        text: words above.
        sources: their `sites` are what the maps index.
        targets: rows, with `target_to_source`.
        methods: columns.
        size: pixels a picture.
        colours: function of (points, box), as `position_colours`.
    """
    if not targets:
        return nothing_to_show(text, NO_MAP)
    boxes = [used_box(s.mesh.vertices, s.mesh.faces) for s in sources]
    header = []
    for source, box in zip(sources, boxes, strict=True):
        look = look_at(source.mesh, size)
        picture = paint_points(look, colours(look.position, box))
        header.append(Cell(picture, source.name))

    def colours_of(shown: Prediction):
        own = colours(sources[shown.source].sites, boxes[shown.source])
        return carried_colours(own, shown.target_to_source)

    rows = [
        Row(
            target.name,
            _origin(target, sources),
            _method_cells(look_at(target.mesh, size), target, methods, colours_of),
        )
        for target in under_bar(targets)
    ]
    shown = [p.target_to_source for target in targets for p in target.predictions.values()]
    legend = [(NO_MATCH, "no match")] if any((np.asarray(m) < 0).any() for m in shown) else []
    return sheet(text, header, list(methods), rows, legend, _means(targets, methods))


def _parts_of(source: SheetSource, size: int) -> UInt8[np.ndarray, "s s 4"]:
    """A source in the colours of its parts; grey where its labels are absent or could not be read."""
    labels = source.face_labels
    if labels is None:
        labels = np.full(len(source.mesh.faces), -1)
    return paint_faces(look_at(source.mesh, size), label_colours(labels))


def _origin(target: SheetTarget, sources: Sequence[SheetSource]) -> str:
    """Names of the sources that a row's predictions come from; empty if that is all of them."""
    used = sorted({i for shown in target.predictions.values() for i in np.ravel(shown.source)})
    if len(used) == len(sources):
        return ""
    return "from " + ", ".join(sources[i].name for i in used) if used else ""


def _method_cells(look: Look, target: SheetTarget, methods, colours_of) -> list[Cell]:
    """One painted cell a method; sites are looked up once for all of them."""
    nearest = nearest_sites(look, target.sites, target.site_normals)
    scores = {
        name: shown.score for name, shown in target.predictions.items() if shown.score is not None
    }
    best = max((f"{score:.2f}" for score in scores.values()), default=None)
    cells = []
    for method in methods:
        shown = target.predictions.get(method)
        if shown is None:
            cells.append(Cell(None, "no result"))
            continue
        colours = colours_of(shown)
        if len(colours) != len(target.sites):
            raise ValueError(
                f"{target.name}, {method}: expected {len(target.sites)} rows, got {len(colours)}"
            )
        caption = "" if shown.score is None else f"{shown.score:.2f}"
        cells.append(Cell(paint_points(look, colours[nearest]), caption, caption == best))
    return cells


def _means(targets: Sequence[SheetTarget], methods: Sequence[str]) -> dict[str, float]:
    """Mean score of each method over the targets of the sheet that have one."""
    means = {}
    for method in methods:
        shown = [t.predictions[method] for t in targets if method in t.predictions]
        scores = [p.score for p in shown if p.score is not None]
        if scores:
            means[method] = float(np.mean(scores))
    return means
