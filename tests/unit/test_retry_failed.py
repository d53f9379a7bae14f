import numpy as np

from semcorr.errors import ItemError
from semcorr.stages.retry_failed import run
from semcorr.store.chunk import ChunkJob, simple, write_chunk
from semcorr.store.files import sha256_file, write_json


def chunk(results, section, inputs=(), failing=()):
    folder = results / section / "chairs"
    hashes = {str(p.relative_to(results.parent)): sha256_file(p) for p in inputs}
    job = ChunkJob(
        store=folder / "0.zarr",
        manifest=folder / "0.json",
        ids=("a", "b"),
        cfg={},
        code="",
        members=(),
        inputs=hashes,
    )

    def compute(item_id):
        if item_id in failing:
            raise ItemError("broken file")
        return {"x": np.zeros(3)}

    write_chunk(job, lambda missing: simple(compute))
    return folder / "0.json"


def test_what_rests_on_a_failed_chunk_is_planned_again_and_nothing_else(tmp_path):
    results = tmp_path / "results"
    meshes = chunk(results, "meshes", failing=("b",))
    voxels = chunk(results, "voxels/v", [meshes])
    matches = chunk(results, "matches/m/e", [voxels])
    others = chunk(results, "truth")
    labels = chunk(results, "labels/m/e", [matches])
    table = results / "coseg/e/m.json"
    write_json(table, {"inputs": {str(matches.relative_to(tmp_path)): ""}})
    meshes_shown = results / "exports/coseg/e/m/aligned.json"
    write_json(meshes_shown, {"inputs": {str(matches.relative_to(tmp_path)): ""}})
    model = results / "models/net/model.json"
    write_json(model, {"name": "Net", "inputs": {str(meshes.relative_to(tmp_path)): ""}})
    looks = [results / f"{kind}/seen.json" for kind in ("decodings", "samplings")]
    for path in looks:
        write_json(path, {"inputs": {str(model.relative_to(tmp_path)): ""}})
    older = results / "models/older/model.json"  # of a version that named no inputs
    write_json(older, {"name": "Net"})
    elsewhere = results / "coseg/other.json"
    write_json(elsewhere, {"inputs": {str(others.relative_to(tmp_path)): ""}})
    assert run(results) == 1
    removed = [meshes, voxels, matches, labels, table, meshes_shown, model, *looks]
    assert [p for p in removed if p.exists()] == []
    assert others.exists() and elsewhere.exists() and older.exists()
    assert voxels.with_suffix(".zarr").is_dir()
    assert len(list(meshes.parent.glob("0.part-*/*.npz"))) == 1


def test_failed_labels_are_computed_again(tmp_path):
    results = tmp_path / "results"
    labels = chunk(results, "labels/m/e", failing=("a",))
    assert run(results) == 1
    assert not labels.exists()


def test_without_failed_rows_nothing_is_touched(tmp_path):
    results = tmp_path / "results"
    meshes = chunk(results, "meshes")
    before = meshes.read_bytes()
    assert run(results) == 0
    assert meshes.read_bytes() == before


def test_rows_that_failed_upstream_are_no_reason_to_reset(tmp_path):
    results = tmp_path / "results"
    folder = results / "voxels/v/chairs"
    job = ChunkJob(folder / "0.zarr", folder / "0.json", ("a",), {}, "", (), {})

    def compute(item_id):
        raise ItemError("no faces", "upstream_failed")

    write_chunk(job, lambda missing: simple(compute))
    assert run(results) == 0
    assert (folder / "0.json").exists()
