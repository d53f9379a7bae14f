"""Pictures without a GPU: the right colour at the right place, the same bytes every time."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from semcorr.geometry.mesh import Mesh
from semcorr.report.canvas import fit, font, text_width
from semcorr.report.colours import LABEL_PALETTE, NO_MATCH
from semcorr.report.contact_sheet import (
    Prediction,
    SheetSource,
    SheetTarget,
    SheetText,
    correspondence_sheet,
    part_sheet,
)
from semcorr.report.pair_picture import PairText, pair_picture
from semcorr.report.picture import (
    look_at,
    nearest_sites,
    paint_faces,
    paint_points,
    paint_vertices,
)
from semcorr.report.png import png_bytes
from semcorr.report.sheet_layout import MARGIN, Cell, Row, sheet

RED, BLUE = (200, 30, 30), (30, 30, 200)


def box(low=(0.0, 0.0, 0.0), high=(1.0, 1.0, 1.0)):
    """Twelve outward triangles, pairs: below, above, front, left, back, right (of the sitter)."""
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
    corners = np.array(low) + corners * (np.array(high) - np.array(low))
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces))


def on_white(picture):
    """RGB of an RGBA picture over white."""
    alpha = picture[..., 3:] / 255
    return np.rint(picture[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def hue_counts(picture):
    """Pixels that are rather red, rather blue, on an RGB picture."""
    p = picture.astype(int)
    return ((p[..., 0] - p[..., 2]) > 60).sum(), ((p[..., 2] - p[..., 0]) > 60).sum()


def test_a_view_sees_the_side_that_it_looks_at():
    colours = np.tile(np.uint8([BLUE]), (12, 1))
    colours[4:6] = RED
    for view, red in (((-90.0, 0.0), True), ((90.0, 0.0), False), ((0.0, 0.0), False)):
        picture = paint_faces(look_at(box(), 48, view, grid=2), colours)
        seen_red, seen_blue = hue_counts(on_white(picture))
        assert (seen_red > 1000) == red and (seen_blue > 1000) != red


def test_left_of_the_sitter_is_right_in_the_front_view():
    mesh = box()
    colours = np.where(mesh.vertices[:, :1] > 0.5, np.uint8([RED]), np.uint8([BLUE]))
    picture = on_white(paint_vertices(look_at(mesh, 48, (-90.0, 0.0)), mesh.faces, colours))
    assert hue_counts(picture[:, 30:])[0] > 0 == hue_counts(picture[:, 30:])[1]
    assert hue_counts(picture[:, :18])[1] > 0 == hue_counts(picture[:, :18])[0]


def test_scale_and_position_do_not_matter():
    first = look_at(box(), 40)
    mesh = box((5e5, -3e5, 10.0), (5e5 + 800, -3e5 + 800, 810.0))
    second = look_at(mesh, 40)
    np.testing.assert_array_equal(first.sample, second.sample)
    np.testing.assert_allclose(first.light, second.light, atol=0.13)
    assert (np.abs(first.light - second.light) < 1e-3).mean() > 0.95
    assert second.position.min() < -2.9e5 and second.position.max() > 5e5


def test_shape_fills_the_picture_and_touches_no_border():
    for high in ((1, 1, 1), (0.05, 0.05, 1), (1, 0.02, 0.1)):
        alpha = paint_faces(look_at(box(high=high), 64), np.zeros((12, 3), np.uint8))[..., 3]
        rows, columns = (np.flatnonzero(alpha.any(axis=k)) for k in (1, 0))
        reach = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 0.7 * 64 < reach <= 64
        assert not (alpha[[0, -1]].any() or alpha[:, [0, -1]].any())


def test_sites_colour_the_surface_beside_them_and_its_own_side_of_a_board():
    mesh = box(high=(1.0, 0.004, 1.0))
    sites = np.array([[0.5, 0.0, 0.5], [0.5, 0.004, 0.5]])
    normals = np.array([[0.0, -1, 0], [0, 1, 0]])
    front = look_at(mesh, 24, (-90.0, 0.0))
    assert (nearest_sites(front, sites, normals) == 0).all()
    back = look_at(mesh, 24, (90.0, 0.0))
    assert (nearest_sites(back, sites, normals) == 1).all()
    plain = nearest_sites(front, sites)
    brute = np.linalg.norm(front.position[:, None] - sites[None], axis=2).argmin(axis=1)
    np.testing.assert_array_equal(plain, brute)
    picture = on_white(
        paint_points(front, np.uint8([RED, BLUE])[nearest_sites(front, sites, normals)])
    )
    assert hue_counts(picture)[0] > 300 and hue_counts(picture)[1] == 0


def test_creases_are_darker_than_open_faces():
    wall, floor = box((0, 0.5, 0), (1, 0.6, 1)), box((0, 0, -0.1), (1, 0.6, 0))
    both = Mesh(
        np.concatenate([wall.vertices, floor.vertices]),
        np.concatenate([wall.faces, floor.faces + 8]),
    )
    look = look_at(both, 64, (-90.0, 40.0))
    top = (look.normal[:, 2] > 0.9) & (np.abs(look.position[:, 2]) < 1e-9)
    near, far = look.position[:, 1] > 0.45, look.position[:, 1] < 0.1
    assert look.light[top & near].mean() < 0.85 * look.light[top & far].mean()


def test_png_bytes_are_repeatable_and_bare():
    picture = paint_faces(look_at(box(), 32), np.tile(np.uint8([RED]), (12, 1)))
    again = paint_faces(look_at(box(), 32), np.tile(np.uint8([RED]), (12, 1)))
    assert png_bytes(picture) == png_bytes(again)
    image = Image.open(io.BytesIO(png_bytes(picture)))
    assert image.info == {} and np.array_equal(np.asarray(image), picture)


def sheet_case(methods=("good", "bad")):
    mesh = box()
    labels = np.repeat([0, 1], [4, 8])
    sites = mesh.triangles.mean(axis=1)
    source = SheetSource("source_chair", mesh, labels, sites)
    predictions = {
        "good": Prediction(0, np.arange(12), labels, 0.914),
        "bad": Prediction(0, np.full(12, -1), np.full(12, -1), 0.1),
    }
    target = SheetTarget(
        "target_chair", mesh, sites, None, labels, {m: predictions[m] for m in methods}
    )
    return [source], [target]


def distance_to(picture, colour):
    """Share of pixels whose hue and chroma are about those of a colour (shading changes both)."""
    p = picture.reshape(-1, 3).astype(float)
    solid = p[(np.ptp(p, axis=1) > 8) | (p.max(axis=1) < 200)]
    unit = solid / np.linalg.norm(solid, axis=1, keepdims=True).clip(1)
    wanted = np.array(colour, float) / np.linalg.norm(colour)
    return int(((unit @ wanted) > 0.9985).sum())


def test_part_sheet_shows_labels_and_grey_for_none():
    sources, targets = sheet_case()
    sheet = part_sheet(SheetText("t", "s"), sources, targets, ["good", "bad"], ["a", "b"], size=130)
    half = sheet.shape[1] - 28 - 130  # the last column is "bad"
    lower = sheet[-180:-20]
    for label in (0, 1):
        assert distance_to(lower[:, :half], LABEL_PALETTE[label]) > 500
        assert distance_to(lower[:, half:], LABEL_PALETTE[label]) == 0
    assert distance_to(lower[:, half:], NO_MATCH) > 1000


def test_sheets_are_the_same_every_time_and_survive_a_missing_result():
    sources, targets = sheet_case(methods=("good",))
    for make in (
        lambda: part_sheet(SheetText("t"), sources, targets, ["good", "bad"], ["a", "b"], size=60),
        lambda: correspondence_sheet(SheetText("t"), sources, targets, ["good", "bad"], size=60),
    ):
        assert np.array_equal(make(), make())


def test_correspondence_sheet_is_colourful_where_the_map_is_and_grey_where_not():
    sources, targets = sheet_case()
    sheet = correspondence_sheet(SheetText("t"), sources, targets, ["good", "bad"], size=130)
    lower = sheet[-180:-20]
    half = lower.shape[1] - 28 - 130
    chroma = np.ptp(lower.astype(int), axis=2)
    assert (chroma[:, :half] > 60).sum() > 1000
    assert (chroma[:, half:] > 20).sum() == 0


def test_a_source_without_labels_is_grey():
    sources, targets = sheet_case()
    plain = part_sheet(SheetText("t"), sources, targets, ["good"], ["a", "b"], size=130)
    sources = [replace(sources[0], face_labels=None)]
    grey = part_sheet(SheetText("t"), sources, targets, ["good"], ["a", "b"], size=130)
    header = slice(60, 190), slice(100, 240)
    assert distance_to(plain[header], LABEL_PALETTE[0]) > 500
    for label in (0, 1):
        assert distance_to(grey[header], LABEL_PALETTE[label]) == 0
    assert distance_to(grey[header], NO_MATCH) > 1000


def test_sheets_without_targets_say_so():
    sources, _ = sheet_case()
    for make in (
        lambda: part_sheet(SheetText("t", "s"), sources, [], ["good"], ["a"], size=60),
        lambda: correspondence_sheet(SheetText("t", "s"), [], [], ["good"], size=60),
    ):
        page = make()
        assert page.shape[1] > 200 and (page < 100).any()
        assert np.array_equal(page, make())


def test_wrong_number_of_rows_names_target_and_method():
    sources, targets = sheet_case()
    short = Prediction(0, np.arange(5), np.zeros(5, int), 0.5)
    targets[0].predictions["good"] = short
    with pytest.raises(ValueError, match="target_chair, good: expected 12"):
        part_sheet(SheetText("t"), sources, targets, ["good"], ["a", "b"], size=60)


def test_confidence_of_pairs_has_one_scale():
    text = PairText("T", "s", "a.glb", "b.glb")
    mesh = box()
    unsure, sure = (
        pair_picture(text, mesh, mesh, np.arange(8), np.full(8, value), size=80)
        for value in (0.2, 0.9)
    )
    x = 28 + 2 * (80 + 18)  # the column of the confidence
    assert np.array_equal(unsure[:, :x], sure[:, :x])
    column = np.s_[130:200, x : x + 80]
    assert sure[column].mean() > unsure[column].mean() + 10


def test_pair_picture_has_both_shapes():
    mesh = box()
    text = PairText("a to b", "nearest", "a.ply", "b.ply")
    picture = pair_picture(text, mesh, mesh, np.arange(8), np.linspace(0, 1, 8), size=80)
    same = pair_picture(text, mesh, mesh, np.arange(8), np.linspace(0, 1, 8), size=80)
    assert np.array_equal(picture, same)
    left, middle = picture[150:310, 28:108], picture[150:310, 126:206]
    assert np.array_equal(left, middle)  # identity map: target looks like the source
    assert len(np.unique(left.reshape(-1, 3), axis=0)) > 100


def test_names_that_differ_at_one_end_alone_are_still_told_apart_when_they_are_cut():
    face = font(12, False)
    names = [f"aeroplane_999983_{number:05d}" for number in range(2)]
    first, second = (fit(name, face, 120) for name in names)
    assert first != second
    assert first.startswith("aero") and first.endswith("00")
    assert all(face.getlength(short) <= 120 for short in (first, second))
    assert fit(names[0], face, 1000) == names[0]
    assert fit(names[0], face, 1) == "\u2026"
    assert fit("", face, 1) == ""


def test_a_sheet_of_few_pictures_is_as_wide_as_its_heading():
    cell = Cell(np.full((40, 40, 4), 255, np.uint8), "one")
    words = "25 steps through a_network_with_a_long_name, for no pictures at all"
    page = sheet(SheetText("name", words), [], ["Sample"], [Row("", "", [cell])], [], {})
    assert page.shape[1] >= text_width(words, 13) + 2 * MARGIN
