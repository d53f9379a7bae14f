"""ShapeNetCore v2 on a miniature in the layout of the releases: items, meshes, options, what is missing."""

import os

import numpy as np
import pytest
from shapenet_bytes import IDS, SYNSET, write_model, write_set
from shapenet_sets import context, members, whole

from semcorr.datasets import members as item_lists
from semcorr.datasets import shapenet_items
from semcorr.datasets.shapenet import open_meshes, open_truth
from semcorr.errors import ItemError, UserError

FIRST, SECOND = IDS


@pytest.fixture(autouse=True)
def _no_cache():
    shapenet_items._members.cache_clear()
    shapenet_items.points_folder.cache_clear()


@pytest.fixture
def entry(tmp_path):
    return write_set(tmp_path)


def test_meshes_have_up_and_front_of_v2(entry):
    mesh, file_from_world = open_meshes(context(entry))(FIRST)
    # the longest side of the file is 0.8; up +Y is Z, the nose (-Z) looks along -Y, the right is -X
    nose_right_low, wing_tip = mesh.vertices[1], mesh.vertices[9]
    np.testing.assert_allclose(nose_right_low, [0.09375, -0.5, -0.0625], atol=1e-12)
    np.testing.assert_allclose(wing_tip, [-0.21875, -0.125, -0.0125], atol=1e-12)
    back = np.append(wing_tip, 1.0) @ file_from_world.T
    np.testing.assert_allclose(back, [0.3, -0.01, -0.1, 1.0], atol=1e-12)
    assert mesh.materials[0].texture.tolist() == [[[200, 120, 40, 255]]]


@pytest.mark.parametrize("doubled", [False, True])
def test_items_are_the_folders_of_the_synset(tmp_path, doubled):
    root = tmp_path / "core"
    for name in IDS:
        write_model(root, name, doubled)
    (root / SYNSET / ".cache").mkdir()
    entry = {"kind": "shapenet", "root": str(root), "synset": SYNSET}
    found = members(entry)
    assert [m.id for m in found.values() if m.status == "ok"] == list(IDS)
    assert {m.category for m in found.values()} == {SYNSET}
    files = item_lists.mesh_files(whole(entry)["planes"], list(found.values()))
    home = f"{SYNSET}/{SYNSET}" if doubled else SYNSET
    assert [os.path.relpath(file, root) for file in files] == [
        f"{home}/{name}/{file}"
        for name in IDS
        for file in ("models/model_normalized.obj", "models/model_normalized.mtl",
                     "images/texture0.png")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        f"{SECOND}\n{FIRST}\n\n",
        f"\ufeff{SECOND}\r\n{FIRST}\r\n",
        f"id,split\n{SECOND},test\n{FIRST},test\n",
        f"id,synsetId,subSynsetId,modelId,split\n1,2691156,2690373,{SECOND},val\n"
        f"2,{SYNSET},,{FIRST},test\n3,02958343,,aaaa,train\n",
    ],
    ids=["lines", "mark and CRLF", "csv", "official list"],
)
def test_lists_of_ids(entry, tmp_path, text):
    (tmp_path / "list.txt").write_bytes(text.encode())
    assert list(members(entry, ids=str(tmp_path / "list.txt"))) == list(IDS)


def test_rows_that_cannot_be_used_are_members_with_a_status(entry, tmp_path):
    outside = write_model(tmp_path / "elsewhere", "linked")
    os.symlink(outside, tmp_path / f"ShapeNetCore.v2/{SYNSET}/linked")
    os.symlink("loop", tmp_path / f"ShapeNetCore.v2/{SYNSET}/loop")
    ids = ["gone", FIRST, FIRST, "../../etc", "..", "a/b", "/etc", "a{b}", "linked", "loop", SECOND]
    (tmp_path / "list.txt").write_text("\n".join(ids))
    found = members(entry, ids=str(tmp_path / "list.txt"))
    assert {m.id: m.status for m in found.values()} == {
        "gone": "missing",
        FIRST: "duplicate",
        "../../etc": "bad_name",
        "..": "bad_name",
        "a/b": "bad_name",
        "/etc": "bad_name",
        "a{b}": "bad_name",
        "linked": "outside",
        "loop": "missing",
        SECOND: "ok",
    }
    assert all(m.reason for m in found.values() if m.status != "ok")
    datasets = whole(entry, ids=str(tmp_path / "list.txt"))
    for find in (item_lists.mesh_files, item_lists.truth_files):
        files = find(datasets["planes"], list(found.values()))
        assert files and all(SECOND in file for file in files)


def test_pictures_that_leave_the_folder_are_no_inputs_and_not_read(entry, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    images = tmp_path / f"ShapeNetCore.v2/{SYNSET}/{FIRST}/images"
    (images / "texture0.png").unlink()
    (images / "texture0.png").symlink_to(tmp_path / "secret.png")
    (images / "br{ace}.png").write_bytes(b"x")
    found = members(entry)
    files = item_lists.mesh_files(whole(entry)["planes"], [found[FIRST]])
    assert [os.path.basename(f) for f in files] == ["model_normalized.obj", "model_normalized.mtl"]
    with pytest.raises(ItemError) as refused:
        open_meshes(context(entry))(FIRST)
    assert refused.value.status == "outside"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": "/no/such/place"}, "never fetched: ask for access at https://shapenet.org"),
        ({"synset": "03001627"}, "03001627: no such folder. ShapeNetCore v2 is never fetched"),
        ({"ids": "/no/such/list.txt"}, "no such list of ids"),
        ({"ids": "/"}, "not readable as a list of ids"),
        ({"root": "/tmp/{id}"}, "may not hold braces"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_get_it(entry, changes, message):
    with pytest.raises(UserError, match=message):
        members(entry, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": "/no/such/place"}, "ShapeNet-Part is never fetched"),
        ({"annotations": "/no/such/place"}, "no such folder of annotations"),
    ],
)
def test_missing_truth_is_said_when_it_is_planned_and_when_it_is_read(entry, changes, message):
    datasets, found = whole(entry, **changes), list(members(entry).values())
    with pytest.raises(UserError, match=message):
        item_lists.truth_files(datasets["planes"], found)
    with pytest.raises(UserError, match=message):
        open_truth(context(entry, **changes))


# -- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"synset": 2691156}, r"datasets\.planes\.synset: .*in quotes"),
        ({"synset": "airplane"}, r"datasets\.planes\.synset"),
        ({"labels": {}}, "say which part each label"),
        ({"labels": {"body": 0}}, r"datasets\.planes\.labels"),
        ({"labels": {0: ""}}, "empty name"),
        ({"classes": {"wing": ["wingg"]}}, "no part 'wingg' in `labels`"),
        ({"classes": {"a": ["wing"], "b": ["wing"]}}, "'wing' is in 'a' already"),
        ({"classes": {"a": []}}, "has no part"),
    ],
)
def test_wrong_options(entry, changes, message):
    with pytest.raises(UserError, match=message):
        whole(entry, **changes)
