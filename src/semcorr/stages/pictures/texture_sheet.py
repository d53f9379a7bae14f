"""Contact sheet of transferred textures: every pixel of a target follows the map on its own."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from semcorr.errors import ItemError
from semcorr.geometry.closest import Surface
from semcorr.report.contact_sheet import NO_MAP
from semcorr.report.picture import Look, look_at, paint_points
from semcorr.report.sheet_layout import Cell, Row, nothing_to_show, sheet, under_bar
from semcorr.stages.exports.textures import itself
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.pictures.sheet_pose import Sheet, row_note, sources_of_rows
from semcorr.transfer.carry import SurfacePoints
from semcorr.transfer.texture import Follow, Paint, colours_at, dense


def texture_sheet(pose: Sheet, size: int) -> UInt8[np.ndarray, "h w 3"]:
    """Sources above; a target a row: as it is, then with the source's texture along every map."""
    if not pose.shown:
        return nothing_to_show(pose.text, NO_MAP)
    pairs = pose.any
    header = [Cell(_own(pairs, source, size), source) for source in sources_of_rows(pose)]
    rows = []
    for source, target in under_bar(pose.shown):
        look = look_at(pairs.mesh(target), size)
        cells = [Cell(_own(pairs, target, size))]
        cells += _cells(pose.methods, source, target, look)
        rows.append(Row(target, row_note(pose, source), cells))
    return sheet(pose.text, header, ["Itself", *pose.methods], rows, [], {})


def _cells(methods: Mapping[str, PosePairs], source: str, target: str, look: Look) -> list[Cell]:
    pairs = next(iter(methods.values()))
    mesh = pairs.mesh(source)
    paint, surface = Paint(mesh), None
    cells = []
    for maps in methods.values():
        arrays = maps.map_of(source, target)
        if arrays is None:
            cells.append(Cell(None, "no result"))
            continue
        surface = surface or Surface(mesh)
        follow = dense(
            surface, pairs.sites(target), pairs.sites(source).positions, arrays["target_to_source"]
        )
        cells.append(Cell(_painted(paint, follow, look)))
    return cells


def _own(pairs: PosePairs, item_id: str, size: int) -> UInt8[np.ndarray, "s s 4"]:
    try:
        mesh = pairs.mesh(item_id)
    except ItemError:
        return np.zeros((size, size, 4), np.uint8)
    return _painted(Paint(mesh), itself, look_at(mesh, size))


def _painted(paint: Paint, follow: Follow, look: Look) -> UInt8[np.ndarray, "s s 4"]:
    points = SurfacePoints(look.face, look.barycentric, look.position, look.normal)
    return paint_points(look, colours_at(paint, follow, points)[0])
