"""Contact sheet of dense maps: the true map, and how far every vertex lands from its place."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.errors import ItemError
from semcorr.geometry.frames import used_box
from semcorr.report.colours import FAR, NO_MATCH, distance_colours, position_colours
from semcorr.report.contact_sheet import NO_MAP
from semcorr.report.picture import Look, look_at, paint_points, paint_vertices
from semcorr.report.sheet_layout import Cell, Row, nothing_to_show, sheet, under_bar
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.pictures.sheet_pose import Sheet, row_note, sources_of_rows
from semcorr.stages.scores.dense import places_of, true_map

# Of the legend, in longest sides
STEPS = (0.0, 0.05, 0.1)


def dense_sheet(pose: Sheet, size: int) -> UInt8[np.ndarray, "h w 3"]:
    """Sources above in colours of positions; a target a row: along the true map, then distances."""
    if not pose.shown:
        return nothing_to_show(pose.text, NO_MAP)
    pairs = pose.any
    header = [Cell(_coloured(pairs, source, size), source) for source in sources_of_rows(pose)]
    rows = []
    for source, target in under_bar(pose.shown):
        truth = true_map(pairs, source, target)
        note = row_note(pose, source)
        if truth is None:
            rows.append(Row(target, note, [Cell(None, "no truth")] * (1 + len(pose.methods))))
            continue
        look = look_at(pairs.mesh(target), size)
        cells = [Cell(_along(pairs, source, truth, look, pairs.sites(target).faces))]
        rows.append(
            Row(target, note, cells + _distances(pose.methods, source, target, truth, look))
        )
    words = [*(f"{step:g} away" for step in STEPS), f"{FAR:g} and more"]
    legend = list(zip(distance_colours(np.array([*STEPS, FAR])), words, strict=True))
    return sheet(pose.text, header, ["True map", *pose.methods], rows, legend, {})


def _box(pairs: PosePairs, source: str) -> Float[np.ndarray, "2 3"]:
    sites = pairs.sites(source)
    return used_box(sites.positions, sites.faces)


def _coloured(pairs: PosePairs, source: str, size: int) -> UInt8[np.ndarray, "s s 4"]:
    try:
        look = look_at(pairs.mesh(source), size)
    except ItemError:
        return np.zeros((size, size, 4), np.uint8)
    return paint_points(look, position_colours(look.position, _box(pairs, source)))


def _along(
    pairs: PosePairs,
    source: str,
    truth: Int[np.ndarray, " v"],
    look: Look,
    faces: Int[np.ndarray, "f 3"],
) -> UInt8[np.ndarray, "s s 4"]:
    """The target in the source's colours: each point where its corners belong; grey where unknown."""
    places = places_of(pairs.sites(source).positions, truth)
    corners = places[faces[look.face]]
    there = np.einsum("pij,pi->pj", corners, look.barycentric)
    known = np.isfinite(there).all(axis=1)
    colours = position_colours(np.where(known[:, None], there, 0.0), _box(pairs, source))
    return paint_points(look, np.where(known[:, None], colours, NO_MATCH))


def _distances(
    methods: Mapping[str, PosePairs],
    source: str,
    target: str,
    truth: Int[np.ndarray, " v"],
    look: Look,
) -> list[Cell]:
    pairs = next(iter(methods.values()))
    positions, faces = pairs.sites(source).positions, pairs.sites(target).faces
    errors = []
    for maps in methods.values():
        arrays = maps.map_of(source, target)
        errors.append(None if arrays is None else _errors(positions, truth, arrays))
    means = ["" if e is None or np.isnan(e).all() else f"{np.nanmean(e):.3f}" for e in errors]
    best = min(filter(None, means), default="")
    return [
        _cell(look, faces, e, mean, mean == best) for e, mean in zip(errors, means, strict=True)
    ]


def _errors(positions, truth, arrays) -> Float[np.ndarray, " v"]:
    """Distance of each target vertex's match to its place; NaN = no match or no truth."""
    predicted = places_of(positions, arrays["target_to_source"][: len(truth)])
    return np.linalg.norm(predicted - places_of(positions, truth), axis=1)


def _cell(look: Look, faces: np.ndarray, errors, mean: str, best: bool) -> Cell:
    if errors is None:
        return Cell(None, "no result")
    picture = paint_vertices(look, faces, distance_colours(errors))
    return Cell(picture, mean and f"{mean} away", best)
