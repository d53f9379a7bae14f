"""The page of a pair in a real browser, over file://, driven by a mouse."""

import numpy as np
import pytest
import trimesh
from chrome_session import ChromeSession
from page_driver import changed, click, half, middle, open_ready, turn, vivid_colours
from scipy.spatial import cKDTree

from semcorr.report.page import Keypoints, PageMeta, PageShape, write_page

SIZE = (1200, 780)


@pytest.fixture(scope="module")
def browser():
    with ChromeSession(*SIZE) as session:
        yield session


def shapes(subdivisions=3):
    """Two bent blobs, far from the origin and of different scale, and a map by position."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    source, target = np.array(sphere.vertices), np.array(sphere.vertices)
    source = source * (0.6, 1.0, 0.5) + 0.25 * np.sin(4 * source[:, [1, 2, 0]])
    target = target * (0.5, 1.0, 0.8) + 0.20 * np.cos(3 * target[:, [2, 0, 1]])
    distance, nearest = cKDTree(source).query(target)
    confidence = np.exp(-distance / 0.2)
    nearest[:7] = -1
    faces = np.array(sphere.faces)
    return source * 40.0 + 900.0, target * 0.003, faces, nearest.astype(np.int32), confidence


def write_pair(path, title="blob to blob", name="blob.ply", subdivisions=3):
    source, target, faces, nearest, confidence = shapes(subdivisions)
    labels = (source[faces[:, 0], 2] > 900.0).astype(int)
    points = Keypoints(("first", "second"), source[[10, 20]])
    write_page(
        path,
        PageShape(name, source, faces, face_labels=labels, keypoints=points),
        PageShape(name, target, faces),
        nearest,
        confidence,
        PageMeta(title, "spatial", ("low", "high"), warnings=(title,)),
    )
    return nearest, confidence


def test_both_shapes_are_colourful_and_turn_together(browser, tmp_path):
    write_pair(tmp_path / "pair.html")
    open_ready(browser, tmp_path / "pair.html")
    before = {side: half(browser, side) for side in ("source", "target")}
    for side, pixels in before.items():
        assert vivid_colours(pixels) > 20, side
        shape = np.ptp(pixels, axis=2) > 40
        assert 0.05 < shape.mean() < 0.8, side  # neither lost nor larger than its canvas
        assert not shape[[0, -1]].any() and not shape[:, [0, -1]].any(), side
    turn(browser, "source")
    for side in ("source", "target"):
        after = half(browser, side)
        assert changed(before[side], after) > 0.05, side
        assert vivid_colours(after) > 20, side
    assert browser.console_errors() == []


def test_a_vertex_that_no_face_uses_does_not_push_the_shape_away(browser, tmp_path):
    source, target, faces, nearest, confidence = shapes()
    seen = []
    for strays in (0, 1):
        far = np.full((strays, 3), 1e5)
        write_page(
            tmp_path / "pair.html",
            PageShape("a", np.concatenate([source, far]), faces),
            PageShape("b", np.concatenate([target, far]), faces),
            np.append(nearest, [-1] * strays),
            np.append(confidence, [0.0] * strays),
            PageMeta("stray", "spatial"),
        )
        open_ready(browser, tmp_path / "pair.html")
        seen.append([half(browser, side) for side in ("source", "target")])
    for clean, stray in zip(*seen, strict=True):
        assert vivid_colours(clean) > 20
        assert changed(clean, stray) < 0.001


def test_each_shape_turns_alone_when_unlinked(browser, tmp_path):
    write_pair(tmp_path / "pair.html")
    open_ready(browser, tmp_path / "pair.html")
    click(browser, "toggle-linked")
    before = {side: half(browser, side) for side in ("source", "target")}
    turn(browser, "target")
    assert changed(before["source"], half(browser, "source")) == 0
    assert changed(before["target"], half(browser, "target")) > 0.05
    click(browser, "reset")
    assert changed(before["target"], half(browser, "target")) == 0
    assert browser.console_errors() == []


def test_a_click_marks_both_points_and_names_them(browser, tmp_path):
    nearest, confidence = write_pair(tmp_path / "pair.html")
    open_ready(browser, tmp_path / "pair.html")
    click(browser, "toggle-keypoints")
    before = {side: half(browser, side) for side in ("source", "target")}
    browser.click(*middle(browser, "target"))
    browser.settle()
    words = browser.run(
        "return [...document.querySelectorAll('#readout dd')].map(e => e.textContent)"
    )
    source, target, value = int(words[0]), int(words[1]), float(words[2])
    assert nearest[target] == source and value == pytest.approx(confidence[target], abs=6e-4)
    for side in ("source", "target"):
        share = changed(before[side], half(browser, side))
        assert 0 < share < 0.01, side
    browser.click(*(place + 4 for place in browser.box_of("canvas-target")[:2]))  # background
    browser.settle()
    assert changed(before["source"], half(browser, "source")) == 0
    assert browser.console_errors() == []


def test_answers_in_both_directions(browser, tmp_path):
    nearest, confidence = write_pair(tmp_path / "pair.html")
    open_ready(browser, tmp_path / "pair.html")
    ask = "return semcorr.select(arguments[0], arguments[1])"
    assert browser.run(ask, "target", 3)["source"] == -1
    for source in (0, 57, 300, 641):
        pair = browser.run(ask, "source", source)
        arriving = np.flatnonzero(nearest == source)
        if len(arriving):
            assert pair["target"] == arriving[confidence[arriving].argmax()]
            assert (pair["shared"], pair["apart"]) == (len(arriving), 0)
        else:
            vertices = shapes()[0]
            used = np.unique(nearest[nearest >= 0])
            gap = np.linalg.norm(vertices[used] - vertices[source], axis=1).min()
            assert pair["apart"] == pytest.approx(gap / np.ptp(vertices, axis=0).max(), rel=1e-3)
    assert browser.console_errors() == []


def test_every_colouring_and_the_dark_design(browser, tmp_path):
    write_pair(tmp_path / "pair.html")
    open_ready(browser, tmp_path / "pair.html")
    seen = [half(browser, "source")]
    for mode, word in (("confidence", "Confidence"), ("parts", "low"), ("correspondence", "same")):
        click(browser, f"mode-{mode}")
        assert word in browser.run("return document.getElementById('legend').textContent")
        seen.append(half(browser, "source"))
    assert changed(seen[0], seen[1]) > 0.05 and changed(seen[1], seen[2]) > 0.05
    assert changed(seen[0], seen[3]) == 0
    click(browser, "toggle-dark")
    dark = half(browser, "source")
    assert seen[0][4, 4].mean() > 200 > 80 > dark[4, 4].mean()
    click(browser, "toggle-dark")
    assert browser.console_errors() == []


def test_names_are_never_run(browser, tmp_path):
    nasty = "</script><script>window.hit=1</script><img src=x onerror='window.hit=2'>"
    write_pair(tmp_path / "pair.html", title=nasty, name=nasty)
    open_ready(browser, tmp_path / "pair.html")
    assert browser.run("return window.hit === undefined && document.images.length === 0")
    assert browser.run("return document.title") == nasty
    assert browser.run("return document.querySelector('.file').textContent") == nasty
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert browser.console_errors() == []


def test_large_shapes(browser, tmp_path):
    write_pair(tmp_path / "pair.html", subdivisions=7)  # 163 842 vertices, 327 680 faces, twice
    open_ready(browser, tmp_path / "pair.html")
    click(browser, "toggle-linked")
    before = half(browser, "target")
    assert vivid_colours(before) > 20
    x, y = middle(browser, "target")
    browser.drag((x, y), (x - 140, y + 30))
    browser.settle()
    assert changed(before, half(browser, "target")) > 0.05
    browser.click(*middle(browser, "source"))
    browser.settle()
    assert "Confidence" in browser.run("return document.getElementById('readout').textContent")
    assert browser.console_errors() == []


def test_a_damaged_page_says_so(browser, tmp_path):
    write_pair(tmp_path / "pair.html")
    text = (tmp_path / "pair.html").read_text()
    (tmp_path / "cut.html").write_text(text.replace('id="array-1"', 'id="lost"'))
    browser.open(tmp_path / "cut.html")
    assert browser.wait_for("return document.documentElement.dataset.state") == "error"
    assert "array-1 is missing" in browser.run(
        "return document.getElementById('problem').textContent"
    )
    assert len(browser.console_errors()) == 1
