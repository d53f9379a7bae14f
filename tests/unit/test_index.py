import pyarrow.parquet as pq

from semcorr.stages.index import main
from semcorr.stages.retry_failed import run
from semcorr.stages.running.job import StageJob
from semcorr.store.manifest import Manifest, Row


def job(root):
    """Two chunks of a folder set: one good item, one broken mesh, one broken label file."""
    (root / "set").mkdir(parents=True)
    for name in ("good", "flat", "label"):
        (root / f"set/{name}.obj").write_text("x")
    rows = [
        "id,file,category",
        "good,good.obj,chair",
        "flat,flat.obj,stool",
        "label,label.obj,chair",
    ]
    (root / "set/items.csv").write_text("\n".join([*rows, "gone,gone.obj,chair"]) + "\n")
    ok = {"vertices": [8, 3], "faces": [12, 3]}
    meshes = {
        0: [Row("good", "ok", "", "1", ok), Row("gone", "missing", "not there")],
        1: [Row("flat", "failed", "no area"), Row("label", "ok", "", "2", ok)],
    }
    truth = {
        0: [Row("good", "ok", "", "3", {}), Row("gone", "upstream_failed", "missing: not there")],
        1: [Row("flat", "upstream_failed", "no area"), Row("label", "failed", "unknown label")],
    }
    inputs = {}
    for section, chunks in (("meshes", meshes), ("truth", truth)):
        inputs[section] = [root / f"results/{section}/set/{c}.json" for c in chunks]
        for path, found in zip(inputs[section], chunks.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            Manifest(tuple(found)).write(path)
    entry = {"kind": "folder", "root": str(root / "set"), "items": "items.csv", "chunks": 2}
    return StageJob(
        inputs=inputs,
        outputs={"index": root / "results/datasets/set/index.parquet"},
        cfg={},
        wildcards={"dataset": "set"},
        config={"datasets": {"set": entry}},
    )


def test_the_index_has_a_row_per_item_and_always_the_same_bytes(tmp_path):
    work = job(tmp_path / "a")
    main(work)
    rows = {row.pop("id"): row for row in pq.read_table(work.outputs["index"]).to_pylist()}
    assert list(rows) == ["flat", "gone", "good", "label"]
    assert rows["good"] | {"chunk": 0} == {
        "category": "chair", "chunk": 0, "meshes": "ok", "truth": "ok", "reason": "",
        "vertices": 8, "faces": 12}  # fmt: skip
    assert rows["flat"]["category"] == "stool"
    assert (rows["flat"]["meshes"], rows["flat"]["reason"]) == ("failed", "no area")
    assert rows["flat"]["vertices"] is None and rows["flat"]["faces"] is None
    assert (rows["label"]["truth"], rows["label"]["reason"]) == ("failed", "unknown label")
    assert rows["gone"]["meshes"] == "missing"
    assert {row["chunk"] for row in rows.values()} <= {0, 1}
    again = job(tmp_path / "b")
    main(again)
    assert again.outputs["index"].read_bytes() == work.outputs["index"].read_bytes()


def test_retry_failed_lets_the_index_be_made_again(tmp_path):
    from test_retry_failed import chunk

    results = tmp_path / "results"
    chunk(results, "meshes", failing=("b",))
    chunk(results, "truth")
    for name in ("chairs", "others"):
        (results / "datasets" / name).mkdir(parents=True)
        (results / f"datasets/{name}/index.parquet").write_bytes(b"x")
    assert run(results) == 1
    assert not (results / "datasets/chairs/index.parquet").exists()
    assert (results / "datasets/others/index.parquet").exists()
