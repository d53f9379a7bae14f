"""Bad meshes, labels and item lists, and a disk that fills up, through the workflow itself."""

import contextlib
import json
import os
import re
import resource
import shutil
import struct
import subprocess
from pathlib import Path

import harness
import numpy as np
import pytest
import small
import small_pack

HEADER = "id,file,category,up"
GOOD = ("good_a", "good_b", "whole", "good c \N{LATIN SMALL LETTER E WITH ACUTE}")
LONG = "long" * 75
# id -> (status, what its reason must say); the reason also names the file
BAD = {
    "empty": ("failed", "empty.obj: the file is empty"),
    "truncated": ("failed", "truncated.glb: "),
    "cut": ("failed", "cut.glb: is truncated: "),
    "no_faces": ("failed", "no_faces.ply: has no faces"),
    "nan": ("failed", "nan.obj: has NaN or infinite coordinates"),
    "cloud": ("failed", "cloud.obj: is a point cloud: 32 points"),
    "huge": ("failed", "huge.obj: has huge coordinates"),
    "axis": ("failed", "axis.obj: wrong up axis '+w'"),
    "twice": ("duplicate", "id 'twice' is given 2 times"),
    "braces": ("bad_name", "file name 'br{a}ces.obj'"),
    "outside": ("outside", "file '../outside.obj' leaves the folder"),
    "link": ("outside", "file 'link.obj' leaves the folder"),
    "gone": ("missing", "file 'gone.obj' is not there"),
    "text": ("failed", "text.obj: "),
    "sla/sh": ("bad_name", "id 'sla/sh'"),
    "a <- b": ("bad_name", "id 'a <- b' holds '<-', which joins the ids of a pair"),
    LONG: ("bad_name", "is 300 bytes long, more than 200"),
}
# Meshes are fine, what is said of them is not
BAD_TRUTH = {
    "labels": ("failed", "labels/labels.json: unknown label 'sofa'"),
    "points": ("failed", "keypoints/points.json: vertex 99 is out of range"),
    "linked": ("outside", "labels/linked.json: leaves the folder of the data set"),
}
# Targets that can be scored, and all pairs of the one source good_a
WELL = {*GOOD, "texture"} - {"good_a"}
PAIRS = len(WELL) + len(BAD) + len(BAD_TRUTH)
CONFIG = {
    "device": "cpu",
    "min_coverage": 0.9,
    "datasets": {"pack": {"kind": "folder", "root": "pack"}},
    "methods": {"spatial": {"matcher": "spatial"}},
    "renders": {"views": small.CONFIG["renders"]["views"]},
    "coseg": {
        "seats": {
            "category": "chair",
            "poses": {"aligned": "pack"},
            "sources": ["good_a"],
            "methods": ["spatial"],
        }
    },
}


def write_bad_pack(root: Path) -> Path:
    """Write good and bad items side by side."""
    root.mkdir(parents=True)
    for folder in ("labels", "keypoints"):
        (root / folder).mkdir()
    vertices, faces, _ = small_pack.boxes()
    text = small_pack.obj_text(vertices, faces)
    for name in (*GOOD, *BAD, *BAD_TRUTH, "texture"):
        if "/" not in name and name != LONG:
            small_pack.write_item(root, name, 1.0)
    (root / "empty.obj").write_bytes(b"")
    (root / "truncated.glb").write_bytes(b"glTF\x02\x00\x00\x00\xff\xff\x00\x00\x10\x00")
    (root / "whole.glb").write_bytes(glb_bytes(vertices, faces))
    (root / "cut.glb").write_bytes(glb_bytes(vertices, faces)[:-200])
    (root / "no_faces.ply").write_text(PLY_WITHOUT_ANYTHING)
    (root / "nan.obj").write_text(re.sub(r"^v \S+", "v nan", text, count=1, flags=re.MULTILINE))
    (root / "cloud.obj").write_text(
        "".join(line + "\n" for line in text.split("\n") if line[:1] == "v")
    )
    (root / "huge.obj").write_text(re.sub(r"^v \S+", "v 1e30", text, count=1, flags=re.MULTILINE))
    (root / "text.obj").write_text("f 1 2 9999\nnot a mesh\n")
    (root / "br{a}ces.obj").write_text(text)
    (root.parent / "outside.obj").write_text(text)
    (root / "link.obj").unlink()
    (root / "link.obj").symlink_to("../outside.obj")
    (root / "gone.obj").unlink()
    (root / "texture.obj").write_text("mtllib texture.mtl\nusemtl wood\n" + text)
    (root / "texture.mtl").write_text("newmtl wood\nKd 1 1 1\nmap_Kd nowhere.png\n")
    wrong = {"names": ["seat"], "faces": ["sofa"] * len(faces)}
    (root / "labels/labels.json").write_text(json.dumps(wrong))
    (root / "keypoints/points.json").write_text(json.dumps({"names": ["p"], "vertices": [99]}))
    (root / "labels/linked.json").rename(root.parent / "elsewhere.json")
    (root / "labels/linked.json").symlink_to("../../elsewhere.json")
    files = {"truncated": "truncated.glb", "whole": "whole.glb", "cut": "cut.glb",
             "no_faces": "no_faces.ply", "braces": "br{a}ces.obj",
             "outside": "../outside.obj", "sla/sh": "good_a.obj", LONG: "good_a.obj"}  # fmt: skip
    rows = [f"{n},{files.get(n, n + '.obj')},chair," for n in (*GOOD, *BAD, *BAD_TRUTH, "texture")]
    rows = [row + ("+w" if row.startswith("axis,") else "") for row in rows]
    small_pack.write_items(root, [*rows, "twice,good_a.obj,chair,"], HEADER)
    return root


def glb_bytes(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    """Return a mesh as binary glTF: header, JSON chunk, BIN chunk (which comes last)."""
    blocks = [vertices.astype("<f4").tobytes(), faces.astype("<u4").tobytes()]
    lengths = [len(block) for block in blocks]
    content = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3",
             "min": vertices.min(axis=0).tolist(), "max": vertices.max(axis=0).tolist()},
            {"bufferView": 1, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": lengths[0]},
            {"buffer": 0, "byteOffset": lengths[0], "byteLength": lengths[1]},
        ],
        "buffers": [{"byteLength": sum(lengths)}],
    }  # fmt: skip
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(blocks)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


PLY_WITHOUT_ANYTHING = """ply
format ascii 1.0
element vertex 0
property float x
property float y
property float z
element face 0
property list uchar int vertex_indices
end_header
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory, repository, server):
    folder = tmp_path_factory.mktemp("bad") / "work"
    found = harness.Work(folder, repository, {}, server)
    write_bad_pack(folder / "pack")
    found.write_config(CONFIG)
    return found


@pytest.fixture(scope="module")
def first_run(work):
    """One run of everything: most items fail, so it must end with 1."""
    return work.run("results/coseg/seats.json", succeeds=False)


def rows(work, name):
    """Return {id: row} of a manifest."""
    items = json.loads((work.results / name).read_text())["items"]
    return {item["id"]: item for item in items}


def test_every_bad_item_is_a_row_with_its_reason_and_the_others_are_there(work, first_run):
    found = rows(work, "meshes/pack/0.json")
    assert found.keys() == {*GOOD, *BAD, *BAD_TRUTH, "texture"}
    for item_id, (status, reason) in BAD.items():
        assert found[item_id]["status"] == status, found[item_id]
        assert reason in found[item_id]["reason"], found[item_id]
    assert {i for i, row in found.items() if row["status"] == "ok"} == {
        *GOOD, *BAD_TRUTH, "texture"}  # fmt: skip
    reader_items = harness.verified_stores(work.results)
    assert reader_items > len(GOOD)


def test_bad_truth_spoils_the_truth_alone(work, first_run):
    found = rows(work, "truth/pack/0.json")
    for item_id, (status, reason) in BAD_TRUTH.items():
        assert (found[item_id]["status"], reason in found[item_id]["reason"]) == (status, True)
    for item_id in BAD:
        assert found[item_id]["status"] == "upstream_failed"
        assert found[item_id]["reason"]
    assert {i for i, row in found.items() if row["status"] == "ok"} == {*GOOD, "texture"}


def test_a_missing_texture_is_said_and_harms_nothing(work, first_run):
    log = (work.results / "logs/meshes/pack/0.log").read_text()
    assert "texture.mtl: texture nowhere.png is missing" in log or (
        "texture.obj: texture nowhere.png is missing" in log
    ), log
    assert "WARNING" in log


def test_low_coverage_ends_with_1_and_names_the_worst_reasons(work, first_run):
    assert first_run.code == 1
    share = len(WELL) / PAIRS
    assert f"only {share:.0%} of {PAIRS} pairs have a map and a ground truth" in first_run.text
    assert "(min_coverage: 90%)" in first_run.text
    assert "most frequent reasons:" in first_run.text
    assert "1 x upstream_failed: " in first_run.text
    assert "retry_failed" in first_run.text
    assert "Traceback" not in first_run.text
    assert not (work.results / "coseg/seats.json").exists()


def test_enough_coverage_ends_with_0_and_computes_nothing_again(work, first_run):
    made = (work.results / "matches/spatial/seats/aligned/0.json").stat().st_mtime_ns
    work.write_config(CONFIG | {"min_coverage": 0.1})
    work.run("all")
    assert (work.results / "matches/spatial/seats/aligned/0.json").stat().st_mtime_ns == made
    table = json.loads((work.results / "coseg/seats.json").read_text())
    summary = table["methods"]["spatial"]["aligned"]
    assert {pair["target"] for pair in summary["targets"]} == WELL
    # every target counts with the four parts, also where its mesh or its labels could not be read
    assert summary["coverage"] == round(len(WELL) / PAIRS, 6)
    assert work.plan("all").outputs == frozenset()


def test_labels_that_are_all_broken_end_with_1_and_the_reasons(tmp_path, repository, server):
    work = harness.Work(tmp_path / "work", repository, {}, server)
    pack = small_pack.write_pack(work.folder / "pack", rows=("a,a.obj,chair,", "c,c.obj,chair,"))
    for name in ("a", "c"):
        (pack / f"labels/{name}.json").write_text('{"names": ["seat"], "faces": ["sofa"]}')
    seats = CONFIG["coseg"]["seats"] | {"sources": ["a"]}
    work.write_config(CONFIG | {"coseg": {"seats": seats}})
    run = work.run("results/coseg/seats.json", succeeds=False)
    assert run.code == 1
    assert "only 0% of 1 pairs have a map and a ground truth" in run.text
    assert "1 x failed: labels/a.json: 'faces' has 1 labels, but the mesh has 48 faces" in run.text
    assert "Traceback" not in run.text
    assert not (work.results / "coseg/seats.json").exists()


def test_targets_that_collect_chunks_check_coverage(tmp_path, repository, environment):
    """Views, features and maps: no table is asked for, and still all rows failed is no success."""
    work = harness.Work(tmp_path / "work", repository, environment)
    (work.folder / "pack").mkdir(parents=True)
    for name in ("good_a", "b"):
        (work.folder / f"pack/{name}.obj").write_text("v 0 0 0\n")
    small_pack.write_items(work.folder / "pack", ["good_a,good_a.obj,chair,", "b,b.obj,chair,"])
    lifted = {"lifted": small.CONFIG["features"]["lifted"]}
    methods = {"nearest": small.CONFIG["methods"]["nearest"]}
    experiment = CONFIG["coseg"]["seats"] | {"methods": ["nearest"]}
    config = CONFIG | {"features": lifted, "methods": methods, "coseg": {"seats": experiment}}
    work.write_config(config | {"offline": True})
    for target, folder in (
        ("renders", "renders/views/pack"),
        ("features", "features/lifted/pack"),
        ("matches", "matches/nearest/seats/aligned"),
    ):
        run = work.run(target, succeeds=False)
        assert re.search(rf"results/{folder}: only 0% of \d items are there", run.text), run.text
        assert "1 x upstream_failed: failed: good_a.obj: is a point cloud" in run.text
        assert (work.results / folder / "0.json").exists()
        assert "Traceback" not in run.text
    work.write_config(config | {"offline": True, "min_coverage": 0.0})
    work.run("matches")


def test_retry_failed_computes_only_failed_rows(work, first_run):
    before = (work.results / "meshes/pack/0.json").read_bytes()
    run = work.run("retry_failed")
    assert f"{len(BAD) + len(BAD_TRUTH) + len(BAD)} rows will be computed again" in run.text
    assert not (work.results / "meshes/pack/0.json").exists()
    kept = list((work.results / "meshes/pack").glob("0.part-*/*.npz"))
    assert len(kept) == len(GOOD) + len(BAD_TRUTH) + 1
    work.run("results/meshes/pack/0.json")
    log = (work.results / "logs/meshes/pack/0.log").read_text()
    assert f"resuming: {len(kept)} of {len(kept) + len(BAD)} meshs are done" in log
    assert (work.results / "meshes/pack/0.json").read_bytes() == before


def test_an_item_that_was_mended_is_planned_and_used(work, first_run):
    pack = work.folder / "pack"
    mended = harness.Work(work.folder, work.repository, work.environment, work.server)
    shutil.copy(pack / "good_a.obj", pack / "gone.obj")
    assert "results/meshes/pack/0.json" in mended.plan("results/coseg/seats.json").outputs
    mended.run("results/meshes/pack/0.json")
    found = rows(work, "meshes/pack/0.json")
    assert found["gone"]["status"] == "ok"
    assert found["empty"]["status"] == "failed"


LISTS = {
    "no list": (None, "no such item list; set `root`"),
    "no file column": (b"id,mesh\na,a.obj\n", "no column 'file'"),
    "not text": (b"\xff\xfe\x00\x01\xff", "not readable as CSV in UTF-8"),
    "an unclosed quote": (b'id,file\na,"a.obj\n', "not readable as CSV"),
    "nothing but a header": (b"id,file,category\n", "no item of pack has category 'chair'"),
}


def test_item_lists_that_cannot_be_read_stop_in_one_line(tmp_path, repository, server):
    works = []
    for number, (content, _) in enumerate(LISTS.values()):
        work = harness.Work(tmp_path / str(number), repository, {}, server)
        (work.folder / "pack").mkdir(parents=True)
        if content is not None:
            (work.folder / "pack/items.csv").write_bytes(content)
        work.write_config(CONFIG)
        works.append(work)
    braces = harness.Work(tmp_path / "braces", repository, {}, server)
    small_pack.write_pack(braces.folder / "pa{c}k")
    braces.write_config(CONFIG | {"datasets": {"pack": {"kind": "folder", "root": "pa{c}k"}}})
    works.append(braces)
    plans = server.plans([(work, ["results/coseg/seats.json"]) for work in works])
    messages = [message for _, message in LISTS.values()] + ["may not hold braces"]
    for plan, message in zip(plans, messages, strict=True):
        assert plan.code == 1
        assert message in plan.text
        assert "Traceback (most recent call last)" not in plan.text, plan.text


# -- a disk that fills up ---------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, size: str):
    """Yield the error to expect and two functions: limit a process that was started, free the disk's space.

    Where mounting is not allowed, the process and its children may not write a file larger than 60 kB: the
    error is another (EFBIG), what must happen is the same.
    """
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        largest = (60_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        yield (
            "File too large",
            lambda process: resource.prlimit(process.pid, resource.RLIMIT_FSIZE, largest),
            lambda: None,
        )
        return
    try:
        free = ["mount", "-o", "remount,size=512m", str(folder)]
        yield (
            "No space left on device",
            lambda process: None,
            lambda: subprocess.run(free, check=True),
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


DISK_TARGET = "results/renders/views/many/0.json"
DISK_CONFIG = {
    "datasets": {"many": {"kind": "procedural", "count": 12, "seed": 4}},
    "renders": {"views": small.CONFIG["renders"]["views"] | {"resolution": 64}},
}


@pytest.fixture(scope="module")
def enough_room(tmp_path_factory, repository, server):
    """Contents of a run whose disk is large enough."""
    work = harness.Work(tmp_path_factory.mktemp("room") / "work", repository, {}, server)
    work.write_config(DISK_CONFIG)
    work.run(DISK_TARGET)
    return work.contents()


@pytest.mark.parametrize("size", ["400k", "3600k"], ids=["for meshes", "for views"])
def test_a_disk_that_fills_up_is_a_transient_failure(
    size, tmp_path, repository, server, enough_room, record_property
):
    """Nothing is remembered as failed; once there is room, the same command finishes and is right."""
    work = harness.Work(tmp_path / "work", repository, {}, server)
    work.write_config(DISK_CONFIG)
    with small_disk(work.results, size) as (error, limit, free):
        record_property("print: disks that fill up", f"{size}: {error}")
        process = work.start(DISK_TARGET)
        limit(process)
        full = process.end()
        assert full.code == 1
        assert error in full.text, full.text
        assert "run the same command again" in full.text
        for path in work.results.rglob("*.json"):
            if harness.manifest_content(path) is not None and ".part-" not in path.as_posix():
                statuses = {item["status"] for item in json.loads(path.read_text())["items"]}
                assert statuses == {"ok"}, path
        assert not (work.folder / DISK_TARGET).exists()
        remembered = work.results.rglob("*.part-*/*.json")
        assert not [path for path in remembered if "packed.zarr" not in path.parts]
        free()
        work.run(DISK_TARGET)
        assert work.contents() == enough_room
        assert harness.verified_stores(work.results) == 24
        assert work.plan(DISK_TARGET).outputs == frozenset()
        assert not list(work.results.rglob("*.part-*"))
