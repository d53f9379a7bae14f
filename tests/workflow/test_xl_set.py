"""A synthetic Objaverse-XL through the real Snakefile: annotation files to ground truth, with troubles."""

import hashlib
import json

import harness
import pyarrow as pa
import pyarrow.parquet as pq
from objaverse_site import Trouble, glb, uid_of

from semcorr.datasets.xl_identifiers import id_of, parse
from semcorr.stages.objaverse_xl_list import command_line

BLOB = "https://github.com/org/chairs/blob/" + "0a" * 20
THING = "https://www.thingiverse.com/thing:1/files?fileId=2"
PACKAGE = "https://3d-api.si.edu/content/document/3d_package:1/seat.glb"
OBJ = b"""mtllib chair.mtl
v 0 0 0
v 1 0 0
v 0 2 0
v 0 0 1
f 1 3 2
f 1 2 4
f 2 3 4
f 3 1 4
"""
STL = b"solid s\n" + b"".join(
    b"facet normal 0 0 0\nouter loop\nvertex %s\nvertex %s\nvertex %s\nendloop\nendfacet\n" % corners
    for corners in ((b"0 0 0", b"0 1 0", b"1 0 0"), (b"0 0 0", b"1 0 0", b"0 0 3"))
) + b"endsolid s\n"  # fmt: skip
LINKED = json.dumps({"asset": {"version": "2.0"}, "buffers": [{"uri": "a.bin", "byteLength": 36}],
                     "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
                     "bufferViews": [{"buffer": 0, "byteLength": 36}], "nodes": [{"mesh": 0}],
                     "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3,
                                    "type": "VEC3"}]}).encode()  # fmt: skip
MODEL = f"https://sketchfab.com/3d-models/{uid_of(1)}"
# identifier -> (bytes at the source, what becomes of it as download and as mesh)
OBJECTS = {
    f"{BLOB}/a b/chair.obj": (OBJ, "ok", "ok"),
    f"{BLOB}/gone.obj": (None, "missing", "upstream_failed"),
    f"{BLOB}/changed.ply": (b"ply\n", "modified", "upstream_failed"),
    f"{BLOB}/linked.gltf": (LINKED, "ok", "failed"),
    f"{BLOB}/text.stl": (b"no mesh", "ok", "failed"),
    THING: (STL, "ok", "ok"),
    PACKAGE: (glb((1, 2, 1)), "ok", "ok"),
    MODEL: (glb((2, 1, 1)), "ok", "ok"),
}


def serve(site, folder):
    """Put annotation files and objects where their sources have them; return the address of each."""
    hosts = {name: f"{site.endpoint}/{name}" for name in ("github", "thingiverse", "smithsonian")}
    addresses, rows = {}, {}
    for identifier, (body, status, _) in OBJECTS.items():
        known = parse(identifier)
        there = body if status != "modified" else b"something else"
        if known.source == "sketchfab":
            site.add(1, there)
        else:
            addresses[identifier] = known.address(hosts[known.source]).removeprefix(site.endpoint)
            if there is not None:
                site.elsewhere[addresses[identifier]] = there
        rows.setdefault(known.source, []).append(
            (
                identifier,
                "CC0",
                identifier.rpartition(".")[2],
                hashlib.sha256(body or b"x").hexdigest(),
            )
        )
    for source, found in rows.items():
        forms = {"thingiverse": "stl", "sketchfab": "glb"}
        table = pa.table(
            {
                "fileIdentifier": [row[0] for row in found],
                "license": [row[1] for row in found],
                "fileType": [forms.get(source, row[2]) for row in found],
                "sha256": [row[3] for row in found],
            }
        )
        pq.write_table(table, folder / "table.parquet")
        path = f"/datasets/allenai/objaverse-xl/resolve/main/{source}/{source}.parquet"
        site.elsewhere[path] = (folder / "table.parquet").read_bytes()
    site.annotate()
    return hosts, addresses


def statuses(work, section):
    items = json.loads((work.results / f"{section}/xl/0.json").read_text())["items"]
    return {item["id"]: item["status"] for item in items}


def test_from_annotation_files_to_ground_truth(site, repository, server, tmp_path):
    """Four sources and every trouble: rows, no crash; transient ones are retried and not remembered."""
    work = harness.Work(tmp_path / "work", repository, {"HF_ENDPOINT": site.endpoint}, server)
    work.folder.mkdir()
    hosts, addresses = serve(site, tmp_path)
    options = ["--out", str(work.folder / "xl.csv"), "--cache", str(tmp_path / "cache")]
    assert command_line([*options, "--category", "chair"]) == 0
    entry = {"kind": "objaverse_xl", "list": "xl.csv", **hosts}
    work.write_config({"device": "cpu", "datasets": {"xl": entry}})

    chair = f"{BLOB}/a b/chair.obj"
    site.troubles[addresses[THING]] = Trouble(statuses=[503], drop_after=[40])
    site.troubles[addresses[chair]] = Trouble(forever=500)
    target = "results/truth/xl/0.json"
    run = work.run(target, succeeds=False)
    assert "nothing was recorded as missing" in run.text
    assert not (work.results / "raw/xl/0.json").exists()

    site.troubles.clear()
    work.run(target)
    ids = {i: parse(i).id for i in OBJECTS}
    assert ids[THING] == id_of(THING)
    assert statuses(work, "raw") == {ids[i]: status for i, (_, status, _) in OBJECTS.items()}
    assert statuses(work, "meshes") == {ids[i]: status for i, (_, _, status) in OBJECTS.items()}
    spans = [span for path, span in site.requests if path == addresses[THING]]
    assert spans[-1] == "bytes=40-", "what had arrived was fetched again"
    reasons = (work.results / "meshes/xl/0.json").read_text()
    assert "lacks its buffer file 'a.bin'" in reasons
    log = (work.results / "logs/meshes/xl/0.log").read_text()
    assert "chair.mtl" in log
    assert harness.verified_stores(work.results) >= 12
    assert work.plan(target).outputs == frozenset()

    # another address of a source plans nothing, another limit the downloads
    work.write_config({"device": "cpu", "datasets": {"xl": entry | {"github": "http://x"}}})
    assert work.plan(target).outputs == frozenset()
    work.write_config({"device": "cpu", "datasets": {"xl": entry | {"max_bytes": 10**6}}})
    assert "results/raw/xl/0.json" in work.plan(target).outputs
