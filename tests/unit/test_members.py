import json
import os

import pytest

from semcorr.datasets import members as item_lists
from semcorr.errors import UserError

LONG = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 100  # 200 bytes


@pytest.fixture(autouse=True)
def _no_cache():
    item_lists._folder.cache_clear()


def folder_set(root, rows, columns="id,file,category"):
    root.mkdir(exist_ok=True)
    (root / "items.csv").write_text("\n".join([columns, *rows]) + "\n")
    return {"set": {"kind": "folder", "root": str(root), "items": "items.csv", "chunks": 1}}


def test_procedural_members_do_not_depend_on_the_count():
    def chunks(count):
        entry = {"kind": "procedural", "category": "chair", "count": count, "seed": 5, "chunks": 4}
        return item_lists.chunks_of({"p": entry}, "p")

    few, more = chunks(20), chunks(21)
    changed = [c for c in more if few.get(c) != more[c]]
    assert len(changed) == 1
    assert sum(len(m) for m in more.values()) == 21


def test_turned_set_has_the_members_of_its_base():
    base = {"kind": "procedural", "category": "chair", "count": 3, "seed": 5, "chunks": 1}
    sets = {"p": base, "t": {"kind": "turned", "from": "p", "yaw": "random"}}
    assert item_lists.chunks_of(sets, "t") == item_lists.chunks_of(sets, "p")


def test_rows_that_cannot_be_used_are_members_with_a_status(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    (tmp_path / "secret.ply").write_text("x")
    os.symlink(tmp_path / "secret.ply", root / "link.ply")
    for name in ("good.ply", "br{x}.ply", "twice.ply"):
        (root / name).write_text("x")
    sets = folder_set(
        root,
        [
            "good,good.ply,chair",
            "gone,gone.ply,chair",
            "up,../secret.ply,chair",
            "abs,/etc/passwd,chair",
            "link,link.ply,chair",
            "braces,br{x}.ply,chair",
            "twice,twice.ply,chair",
            "twice,good.ply,chair",
            "a/b,good.ply,chair",
            "nofile,,chair",
            "a <- b,good.ply,chair",
            f"{LONG}x,good.ply,chair",
            f"{LONG},good.ply,chair",
        ],
    )
    found = {m.id: m.status for m in item_lists.read_members(sets, "set").values()}
    assert found == {
        "good": "ok",
        "gone": "missing",
        "up": "outside",
        "abs": "outside",
        "link": "outside",
        "braces": "bad_name",
        "twice": "duplicate",
        "a/b": "bad_name",
        "nofile": "bad_name",
        "a <- b": "bad_name",
        f"{LONG}x": "bad_name",
        LONG: "ok",
    }
    members = item_lists.read_members(sets, "set")
    files = item_lists.mesh_files(sets["set"], list(members.values()))
    assert files == [str(root / "good.ply")], "two items of one file"
    assert "201 bytes long, more than 200" in members[f"{LONG}x"].reason
    assert "holds '<-', which joins the ids of a pair" in members["a <- b"].reason


def test_files_that_meshes_name_are_listed_where_they_can_be_read(tmp_path):
    root = tmp_path / "set"
    (root / "m/paint").mkdir(parents=True)
    secret = tmp_path / "secret.png"
    names = ("m/a.obj", "c.glb", "m/my paint.mtl", "m/paint/two.mtl", "m/paint/t.png", "m/s.png",
             "b 1.bin", "b{2}.png", "b.png", "d t.png", "m/unnamed.png")  # fmt: skip
    for path in (secret, *(root / name for name in names)):
        path.write_bytes(b"x")
    (root / "m/a.obj").write_text("mtllib my paint.mtl\nv 0 0 0\nmtllib paint\\two.mtl gone.mtl\n")
    (root / "m/my paint.mtl").write_text("newmtl a\nmap_Kd -s 1 1 1 s.png\nmap_Ks unnamed.png\n")
    (root / "m/paint/two.mtl").write_text("newmtl b\nmap_Kd t.png\nnewmtl c\nmap_Kd ../../../x\n")
    images = [
        "b%7B2%7D.png",
        "b.png",
        "../secret.png",
        "data:image/png;base64,AA",
        None,
        "gone.png",
    ]
    document = {"buffers": [{"uri": "b%201.bin"}, {}], "images": [{"uri": u} for u in images]}
    (root / "b.gltf").write_text(json.dumps(document))
    (root / "d.ply").write_text("ply\ncomment TextureFile d t.png\nend_header\ncomment ")
    sets = folder_set(root, [f"{n},{f},chair" for n, f in enumerate(
        ("m/a.obj", "b.gltf", "c.glb", "d.ply"))])  # fmt: skip
    members = list(item_lists.read_members(sets, "set").values())
    found = [os.path.relpath(f, root) for f in item_lists.mesh_files(sets["set"], members)]
    assert found == ["m/a.obj", "m/my paint.mtl", "m/s.png", "m/paint/two.mtl", "m/paint/t.png",
                     "b.gltf", "b 1.bin", "b.png", "c.glb", "d.ply", "d t.png"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gltf", b"[" * 100_000),
        ("a.gltf", b"\xff\xfe"),
        ("a.gltf", b'{"buffers": 3, "images": [1, {"uri": "a\\u0000b"}]}'),
        ("a.obj", b"mtllib\nmtllib a\0b\nmtllib " + b"x" * 5000),
        ("a.ply", b"comment TextureFile"),
    ],
)
def test_broken_mesh_files_name_nothing_and_stop_no_plan(tmp_path, name, content):
    sets = folder_set(tmp_path / "set", [f"a,{name},chair"])
    (tmp_path / "set" / name).write_bytes(content)
    members = list(item_lists.read_members(sets, "set").values())
    assert item_lists.mesh_files(sets["set"], members) == [str(tmp_path / "set" / name)]


def test_truth_files_are_only_those_that_are_there(tmp_path):
    sets = folder_set(tmp_path / "set", ["a,a.ply,chair"])
    root = tmp_path / "set"
    (root / "a.ply").write_text("x")
    (root / "labels").mkdir()
    (root / "labels/a.json").write_text("{}")
    members = list(item_lists.read_members(sets, "set").values())
    assert item_lists.truth_files(sets["set"], members) == [str(root / "labels/a.json")]


def test_a_digest_depends_only_on_the_columns_that_a_stage_reads(tmp_path):
    digests = []
    for n, (file, category) in enumerate(
        [("a.ply", "chair"), ("a.ply", "stool"), ("b.ply", "chair")]
    ):
        root = tmp_path / str(n)
        sets = folder_set(root, [f"x,{file},{category}"])
        (root / file).write_text("x")
        member = item_lists.read_members(sets, "set")["x"]
        digests.append((member.digest(("file",)), member.digest(("category",))))
    assert digests[0][0] == digests[1][0] != digests[2][0]
    assert digests[0][1] == digests[2][1] != digests[1][1]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (None, "no such item list"),
        (b"id,mesh\na,b.ply\n", "no column 'file'"),
        (b"\xff\xfe\x00\x01\xff", "not readable as CSV"),
    ],
)
def test_bad_item_lists_are_named(tmp_path, write, message):
    root = tmp_path / "set"
    root.mkdir()
    if write is not None:
        (root / "items.csv").write_bytes(write)
    entry = {"kind": "folder", "root": str(root), "items": "items.csv", "chunks": 1}
    with pytest.raises(UserError, match=message):
        item_lists.read_members({"set": entry}, "set")


def test_root_may_use_environment_variables(tmp_path, monkeypatch):
    folder_set(tmp_path / "set", ["a,a.ply,chair"])
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    entry = {"kind": "folder", "root": "$SOMEWHERE/set", "items": "items.csv", "chunks": 1}
    assert list(item_lists.read_members({"set": entry}, "set")) == ["a"]
