"""What the identifiers of Objaverse-XL say: source, id, place in a mirror, address of the file itself."""

import uuid

import pytest

from semcorr.datasets.xl_identifiers import parse

COMMIT = "ead0bed6a76012452273bbe18d12e4d68a881956"
GITHUB = f"https://github.com/some-org/a.repo/blob/{COMMIT}/meshes/big chair #1.obj"
THING = "https://www.thingiverse.com/thing:123/files?fileId=456"
PACKAGE = (
    "https://3d-api.si.edu/content/document/3d_package:d8c62634/resources/F1980.190%E2%80%93194.glb"
)
UID = "152e08c384e744048e183dd6466aa841"
MODEL = f"https://sketchfab.com/3d-models/{UID}"


def named(text):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, text))


@pytest.mark.parametrize(
    "text, source, item_id, path, address",
    [
        (
            GITHUB,
            "github",
            named(GITHUB),
            "github/repos/some-org/a.repo/meshes/big chair #1.obj",
            f"https://host/some-org/a.repo/{COMMIT}/meshes/big%20chair%20%231.obj",
        ),
        (
            THING,
            "thingiverse",
            named(THING),
            "thingiverse/thing-123-file-456.stl",
            "https://host/download:456",
        ),
        (
            PACKAGE,
            "smithsonian",
            named(PACKAGE),
            f"smithsonian/objects/{named(PACKAGE)}.glb",
            PACKAGE.replace("https://3d-api.si.edu", "https://host"),
        ),
    ],
)
def test_what_an_identifier_says(text, source, item_id, path, address):
    known = parse(text)
    assert (known.source, known.id, known.path) == (source, item_id, path)
    assert known.address("https://host") == address


def test_objects_of_sketchfab_have_the_id_of_objaverse():
    known = parse(MODEL)
    assert (known.source, known.id, known.path) == ("sketchfab", UID, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chair.obj",
        "/etc/passwd",
        "file:///etc/passwd",
        f"http://github.com/o/r/blob/{COMMIT}/a.obj",
        f"https://github.com/o/r/blob/main/{COMMIT}/a.obj",
        f"https://github.com.evil.org/o/r/blob/{COMMIT}/a.obj",
        f"https://github.com/o/r/blob/{COMMIT}/../../x/y/a.obj",
        f"https://github.com/o/r/blob/{COMMIT}/a//b.obj",
        f"https://github.com/o/r/blob/{COMMIT}/a\\..\\b.obj",
        f"https://github.com/../r/blob/{COMMIT}/a.obj",
        f"https://github.com/o/r/blob/{COMMIT}/a\nb.obj",
        "https://www.thingiverse.com/thing:1/files?fileId=../2",
        "https://3d-api.si.edu/../../x.glb",
        "https://3d-api.si.edu/x.glb?y=.glb",
        "https://3d-api.si.edu@evil.org/x.glb",
        "https://sketchfab.com/3d-models/UPPER08c384e744048e183dd6466aa84",
    ],
)
def test_what_is_no_identifier_or_leaves_its_place(text):
    assert parse(text) is None
