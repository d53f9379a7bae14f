"""The page of a pair as text: self-contained, escaped, complete, the same every time."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from semcorr.report.page import Keypoints, PageMeta, PageShape, page_html, write_page

ROOT = Path(__file__).parents[2]
VIEWER = ROOT / "src" / "semcorr" / "report" / "viewer"
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"' {{script}} \u2028.glb"


def tetrahedron(name="a.ply", **extra):
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 1]]) + 100.0
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return PageShape(name, vertices, faces, **extra)


def page(
    source=None, target=None, to_source=(3, 2, -1, 0), confidence=(0.5, 1, 0, 0.25), meta=None
):
    return page_html(
        source or tetrahedron(),
        target or tetrahedron("b.ply"),
        np.array(to_source, np.int32),
        np.array(confidence, np.float32),
        meta or PageMeta("a and b", "nearest"),
    )


class Elements(HTMLParser):
    """Start tags with attributes, and the text of each element that has an id or is a script."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.current = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.current = [dict(attributes), ""]
            self.scripts.append(self.current)

    def handle_endtag(self, tag):
        if tag == "script":
            self.current = None

    def handle_data(self, data):
        if self.current is not None:
            self.current[1] += data

    def script(self, name):
        (found,) = [text for attributes, text in self.scripts if attributes.get("id") == name]
        return found

    def array(self, reference):
        data = base64.b64decode(self.script(reference["array"]))
        return np.frombuffer(
            data, {"f4": "<f4", "u4": "<u4", "i4": "<i4", "u1": "u1"}[reference["type"]]
        )


def test_everything_is_inside():
    elements = Elements(page())
    for tag, attributes in elements.tags:
        assert tag not in ("iframe", "object", "embed", "base", "img"), tag
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), (tag, name, value)
    policy = next(a["content"] for t, a in elements.tags if "http-equiv" in a)
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy
    viewer = (VIEWER / "viewer.js").read_text()
    assert (
        f"'sha256-{base64.b64encode(hashlib.sha256(viewer.encode()).digest()).decode()}'" in policy
    )
    assert elements.scripts[-1] == [{}, viewer]
    # the only addresses in the whole file: an XML namespace and a paper cited by a shader
    addresses = set(re.findall(r"https?://[^\s\"'`)\\]+", page()))
    assert addresses <= {"http://www.w3.org/1999/xhtml", "https://jcgt.org/published/0007/04/01/"}
    css = (VIEWER / "viewer.css").read_text()
    assert "@import" not in css and "url(" not in css


def test_strings_of_the_user_stay_text():
    shape = tetrahedron(
        NASTY,
        face_labels=np.array([0, 0, 1, -1]),
        keypoints=Keypoints((NASTY, "b"), np.array([[100.0] * 3, [np.nan] * 3])),
    )
    meta = PageMeta(NASTY, NASTY, (NASTY, "b"), NASTY, ((NASTY, NASTY),), (NASTY,))
    text = page(shape, shape, meta=meta)
    elements = Elements(text)
    plain = Elements(page(tetrahedron(keypoints=shape.keypoints), meta=PageMeta("a", "b")))
    # no element beyond those of an ordinary page, but for the extra facts, arrays and the warning
    assert {tag for tag, _ in elements.tags} <= {tag for tag, _ in plain.tags} | {"p"}
    runnable = [
        s for s in elements.scripts if s[0].get("type") in (None, "text/javascript", "module")
    ]
    assert len(runnable) == 1 and "alert(1)" not in runnable[0][1]
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    data = json.loads(elements.script("page-data"))
    assert data["source"]["keypoints"]["names"] == [NASTY]
    assert text.count((VIEWER / "viewer.js").read_text()) == 1  # {{script}} in a name is not filled


def test_data_is_complete_and_in_a_unit_frame():
    source = tetrahedron(
        keypoints=Keypoints(("tip", "gone"), np.array([[100.0, 103, 100], [np.nan] * 3]))
    )
    elements = Elements(page(source))
    data = json.loads(elements.script("page-data"))
    positions = elements.array(data["source"]["positions"]).reshape(-1, 3)
    assert np.ptp(positions, axis=0).max() == pytest.approx(1.0)
    np.testing.assert_allclose(positions.min(axis=0) + positions.max(axis=0), 0, atol=1e-6)
    keypoints = data["source"]["keypoints"]
    assert keypoints["names"] == ["tip"]
    np.testing.assert_allclose(elements.array(keypoints["points"]), positions[2], atol=1e-6)
    np.testing.assert_array_equal(elements.array(data["source"]["faces"]), source.faces.ravel())
    np.testing.assert_array_equal(elements.array(data["targetToSource"]), [3, 2, -1, 0])
    np.testing.assert_array_equal(elements.array(data["confidence"]), [0.5, 1, 0, 0.25])


def test_modes_depend_on_what_is_given():
    def keys(text):
        return [mode["key"] for mode in json.loads(Elements(text).script("page-data"))["modes"]]

    assert keys(page()) == ["correspondence", "confidence"]
    labelled = tetrahedron(face_labels=np.array([0, 1, 1, -1]))
    coloured = tetrahedron(vertex_colours=np.zeros((4, 3), np.uint8))
    meta = PageMeta("t", "m", ("seat", "leg"))
    every = ["correspondence", "confidence", "parts", "original"]
    assert keys(page(labelled, coloured, meta=meta)) == every


def test_colours_follow_the_map():
    elements = Elements(page())
    mode = json.loads(elements.script("page-data"))["modes"][0]
    own, carried = (
        elements.array(mode[side]["colours"]).reshape(-1, 3) for side in ("source", "target")
    )
    np.testing.assert_array_equal(carried[[0, 1, 3]], own[[3, 2, 0]])
    assert len(np.unique(own, axis=0)) == 4
    assert mode["legend"]["swatches"][0]["name"] == "no match"


def test_confidence_of_a_source_point_is_the_best_that_arrives():
    elements = Elements(page(to_source=(3, 3, -1, 0), confidence=(0.1, 0.9, 5.0, 0.1)))
    mode = json.loads(elements.script("page-data"))["modes"][1]
    own, carried = (
        elements.array(mode[side]["colours"]).reshape(-1, 3) for side in ("source", "target")
    )
    np.testing.assert_array_equal(own[3], carried[1])
    np.testing.assert_array_equal(own[1], own[2])  # nothing maps there
    np.testing.assert_array_equal(own[1], carried[2])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"to_source": (4, 0, 0, 0)}, "target_to_source"),
        ({"to_source": (-2, 0, 0, 0)}, "target_to_source"),
        ({"to_source": (0, 0, 0)}, "target_to_source"),
        ({"confidence": (0, 0)}, "confidence"),
        ({"source": tetrahedron(face_labels=np.zeros(3, int))}, "face_labels"),
        ({"source": tetrahedron(face_labels=np.full(4, 2))}, "no name"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        page(**change)


def test_the_same_arguments_give_the_same_file(tmp_path):
    shape = tetrahedron("ä \u2192.ply")
    for name in ("a.html", "b.html"):
        write_page(
            tmp_path / name,
            shape,
            shape,
            np.arange(4),
            np.full(4, np.nan),
            PageMeta("t", "m"),
        )
    first = (tmp_path / "a.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes() and "ä →.ply".encode() in first


def test_bundle_was_built_from_the_sources_that_lie_beside_it():
    """Recomputes the digest of viewer/build.mjs; if this fails: make viewer."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "viewer" / "src").iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    head = (VIEWER / "viewer.js").read_text()[:400]
    assert f"sources sha256 {digest.hexdigest()}" in head
    assert "MIT License" in (VIEWER / "LICENSE-three.txt").read_text(encoding="utf-8")


def test_lock_file_names_no_server():
    text = (ROOT / "viewer" / "package-lock.json").read_text()
    assert "resolved" not in text and "://" not in text
    packages = json.loads(text)["packages"]
    assert packages["node_modules/three"]["version"] == "0.183.2"
    assert all("integrity" in record for name, record in packages.items() if name)
