import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from semcorr.errors import ItemError
from semcorr.store.chunk import ChunkJob, ChunkReader, retry_failed, simple, write_chunk
from semcorr.store.items import content_hash, item_path, load_item, save_item
from semcorr.store.lock import FolderLock
from semcorr.store.manifest import read_manifest


def job_in(folder, ids=("a", "b", "c"), **changes):
    values = {
        "store": folder / "0.zarr",
        "manifest": folder / "0.json",
        "ids": tuple(ids),
        "cfg": {"k": 1},
        "code": "abc",
        "members": tuple((i, "") for i in ids),
        "inputs": {},
        "ragged": frozenset({"points"}),
    }
    return ChunkJob(**(values | changes))


def arrays_of(item_id):
    n = ord(item_id[0]) - 90
    return {"points": np.arange(n * 3, dtype=np.float32).reshape(n, 3), "grid": np.full((2, 2), n)}


def count_files(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def test_round_trip_of_ragged_and_fixed_arrays(tmp_path):
    manifest = write_chunk(job_in(tmp_path), lambda missing: simple(arrays_of))
    reader = ChunkReader(tmp_path / "0.json")
    assert reader.ids == ["a", "b", "c"]
    for item_id in reader.ids:
        expected = arrays_of(item_id)
        got = reader.read(item_id)
        assert sorted(got) == ["grid", "points"]
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name])
        assert manifest.by_id[item_id].sha256 == content_hash(got)
    assert reader.attributes["cfg"] == {"k": 1}
    assert not list(tmp_path.glob("*.part-*"))


@pytest.mark.parametrize("ids", ["", "a", "cab"])
def test_all_items_at_once_are_what_they_are_one_by_one(tmp_path, ids):
    """Ragged arrays that are empty, items that failed, a store without any: the same arrays and types."""

    def compute(item_id):
        if item_id == "f":
            raise ItemError("bad", "failed")
        nothing = np.zeros((0, 2), np.uint8) if item_id != "c" else np.ones((3, 2), np.uint8)
        return arrays_of(item_id) | {"nothing": nothing}

    ragged = frozenset({"points", "nothing"})
    job = job_in(tmp_path, [*ids, "f"], ragged=ragged)
    write_chunk(job, lambda missing: simple(compute))
    reader = ChunkReader(tmp_path / "0.json")
    found = reader.read_all()
    assert list(found) == sorted(ids)
    for item_id, arrays in found.items():
        one = reader.read(item_id)
        assert arrays.keys() == one.keys()
        for name, array in one.items():
            assert arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(arrays[name], array)


def test_empty_ragged_arrays_survive(tmp_path):
    write_chunk(
        job_in(tmp_path, ids=("a", "b")),
        lambda missing: simple(lambda i: {"points": np.zeros((0, 3), np.float32)}),
    )
    assert ChunkReader(tmp_path / "0.json").read("b")["points"].shape == (0, 3)


@pytest.mark.parametrize("count", [1, 7, 300])
def test_a_store_has_at_most_60_files_whatever_the_number_of_items(tmp_path, count):
    ids = [f"{chr(97 + n % 3)}{n:04d}" for n in range(count)]
    names = [f"fixed{n}" for n in range(6)]

    def compute(item_id):
        extra = {name: np.zeros((3, 3), np.float32) for name in names}
        return arrays_of(item_id) | extra

    write_chunk(job_in(tmp_path, ids=ids), lambda missing: simple(compute))
    assert count_files(tmp_path / "0.zarr") <= 60
    folders = [path for path in (tmp_path / "0.zarr").rglob("*") if path.is_dir()]
    assert all((path / "zarr.json").exists() for path in folders), (
        "a folder an array, none for its axes"
    )
    reader = ChunkReader(tmp_path / "0.json")
    for item_id in ids[:: max(1, count // 10)]:
        np.testing.assert_array_equal(reader.read(item_id)["points"], arrays_of(item_id)["points"])


def test_failed_items_are_rows_and_the_rest_is_unharmed(tmp_path, caplog):
    def compute(item_id):
        if item_id == "b":
            raise ItemError("b.ply: no faces")
        return arrays_of(item_id)

    with caplog.at_level("INFO"):
        write_chunk(job_in(tmp_path), lambda missing: simple(compute))
    assert re.search(r"3 items \(1 failed\) in [\d.]+ s, [\d.]+ s/item", caplog.text)
    manifest = read_manifest(tmp_path / "0.json")
    assert manifest.by_id["b"].status == "failed"
    assert manifest.by_id["b"].reason == "b.ply: no faces"
    assert manifest.ok_ids == ["a", "c"]
    with pytest.raises(ItemError, match="no faces") as caught:
        ChunkReader(tmp_path / "0.json").read("b")
    assert caught.value.status == "upstream_failed"


def test_all_items_failed_still_gives_a_store_and_a_manifest(tmp_path):
    def compute(item_id):
        raise ItemError("broken")

    write_chunk(job_in(tmp_path), lambda missing: simple(compute))
    assert ChunkReader(tmp_path / "0.json").ids == []
    assert (tmp_path / "0.zarr").is_dir()


def test_transient_errors_stop_the_job_and_keep_what_is_done(tmp_path):
    computed = []

    def compute(item_id):
        if item_id == "c" and len(computed) == 2:
            computed.append("boom")
            raise OSError(28, "No space left on device")
        computed.append(item_id)
        return arrays_of(item_id)

    with pytest.raises(OSError, match="No space"):
        write_chunk(job_in(tmp_path), lambda missing: simple(compute))
    assert not (tmp_path / "0.json").exists()
    write_chunk(job_in(tmp_path), lambda missing: simple(compute))
    assert computed == ["a", "b", "boom", "c"]
    assert ChunkReader(tmp_path / "0.json").ids == ["a", "b", "c"]


def test_a_finished_job_is_adopted_not_computed_again(tmp_path):
    write_chunk(job_in(tmp_path), lambda missing: simple(arrays_of))

    @contextmanager
    def never(missing):
        raise AssertionError("computed again")
        yield

    before = (tmp_path / "0.json").read_bytes()
    write_chunk(job_in(tmp_path), never)
    assert (tmp_path / "0.json").read_bytes() == before


def test_another_configuration_neither_adopts_nor_resumes(tmp_path):
    def stop(item_id):
        if item_id == "b":
            raise OSError("stop")
        return arrays_of(item_id)

    with pytest.raises(OSError):
        write_chunk(job_in(tmp_path), lambda missing: simple(stop))
    asked = []
    other = job_in(tmp_path, cfg={"k": 2})
    write_chunk(other, lambda missing: asked.extend(missing) or simple(arrays_of))
    assert asked == ["a", "b", "c"]
    assert not list(tmp_path.glob("*.part-*"))


def test_identical_runs_give_identical_manifests_whatever_the_order(tmp_path):
    for folder, ids in (("one", "abc"), ("two", "cba")):
        (tmp_path / folder).mkdir()
        write_chunk(job_in(tmp_path / folder, ids=tuple(ids)), lambda missing: simple(arrays_of))
    texts = [(tmp_path / f / "0.json").read_bytes() for f in ("one", "two")]
    assert texts[0] == texts[1]


def test_a_damaged_item_file_is_computed_again(tmp_path):
    folder = tmp_path / "part"
    folder.mkdir()
    save_item(folder, "a", arrays_of("a"))
    path = item_path(folder, "a", ".npz")
    path.write_bytes(path.read_bytes()[:50])
    assert load_item(folder, "a") is None
    assert not path.exists()


def test_item_files_hold_no_pickles(tmp_path):
    path = item_path(tmp_path, "a", ".npz")
    np.savez(path, points=np.array([{"x": 1}], dtype=object))
    assert load_item(tmp_path, "a") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    path = tmp_path / "0.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="0.json"):
        read_manifest(path)


def test_an_edited_manifest_is_refused(tmp_path):
    write_chunk(job_in(tmp_path), lambda missing: simple(arrays_of))
    value = json.loads((tmp_path / "0.json").read_text())
    value["items"][0]["sha256"] = "0" * 64
    (tmp_path / "0.json").write_text(json.dumps(value))
    with pytest.raises(ValueError, match="content hash"):
        read_manifest(tmp_path / "0.json")


def test_retry_failed_computes_only_failed_rows(tmp_path):
    broken = {"b"}

    def compute(item_id):
        if item_id in broken:
            raise ItemError("not yet")
        return arrays_of(item_id)

    write_chunk(job_in(tmp_path), lambda missing: simple(compute))
    assert retry_failed(tmp_path / "0.zarr", tmp_path / "0.json") == 1
    assert not (tmp_path / "0.json").exists()
    broken.clear()
    asked = []
    write_chunk(job_in(tmp_path), lambda missing: asked.extend(missing) or simple(compute))
    assert asked == ["b"]
    assert ChunkReader(tmp_path / "0.json").ids == ["a", "b", "c"]
    assert retry_failed(tmp_path / "0.zarr", tmp_path / "0.json") == 0


def test_arrays_that_differ_in_shape_are_refused_by_name(tmp_path):
    def compute(item_id):
        return {"grid": np.zeros((2, 2 if item_id == "a" else 3))}

    with pytest.raises(ValueError, match="grid of b"):
        write_chunk(job_in(tmp_path), lambda missing: simple(compute))


HOLD = """
import sys, time
from semcorr.store.lock import FolderLock
from pathlib import Path
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_waits_names_the_pid_and_survives_its_death(tmp_path, caplog):
    folder = tmp_path / "0.part-x"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    start = time.monotonic()
    os.kill(child.pid, signal.SIGSTOP)
    import threading

    threading.Timer(1.0, child.kill).start()
    with caplog.at_level("WARNING"), FolderLock(folder):
        assert time.monotonic() - start >= 0.9
    assert f"process {child.pid}" in caplog.text
    child.wait()


def test_nothing_is_left_of_a_lock(tmp_path):
    with FolderLock(tmp_path / "0.part-x"):
        (tmp_path / "0.part-x").rmdir()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_said_and_does_not_stop_the_job(
    tmp_path, monkeypatch, caplog
):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with caplog.at_level("WARNING"), FolderLock(tmp_path / "0.part-x"):
        assert (tmp_path / "0.part-x").is_dir()
    assert "has no locks" in caplog.text


def test_other_errors_of_the_lock_are_raised_and_leave_no_descriptor(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output"):
        FolderLock(tmp_path / "0.part-x").acquire()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_orphan_that_has_not_begun_does_not_begin(tmp_path, monkeypatch):
    monkeypatch.setattr("semcorr.store.lock._started_by", os.getppid())
    with FolderLock(tmp_path / "0.part-x"):
        pass
    monkeypatch.setattr("semcorr.store.lock._started_by", os.getppid() + 1)
    with pytest.raises(RuntimeError, match="nothing was written yet"):
        FolderLock(tmp_path / "0.part-y").acquire()
    assert not list(tmp_path.glob(".*.lock"))


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store import job_in, arrays_of
from semcorr.store.chunk import simple, write_chunk
def slow(item_id):
    time.sleep(0.05)
    return arrays_of(item_id)
ids = [f"{chr(97 + n % 3)}{n}" for n in range(30)]
write_chunk(job_in(Path(sys.argv[1]), ids=ids), lambda missing: simple(slow))
"""


def test_sigkill_loses_at_most_the_item_in_work(tmp_path):
    ids = [f"{chr(97 + n % 3)}{n}" for n in range(30)]
    command = [sys.executable, "-c", KILLED, str(tmp_path), os.path.dirname(__file__)]
    child = subprocess.Popen(command)
    job = job_in(tmp_path, ids=ids)
    deadline = time.monotonic() + 60
    while len(list(job.part_folder.glob("*.npz"))) < 10:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.wait()
    done = len(list(job.part_folder.glob("*.npz")))
    asked = []
    write_chunk(job, lambda missing: asked.extend(missing) or simple(arrays_of))
    assert len(asked) == 30 - done
    reference = tmp_path / "reference"
    reference.mkdir()
    write_chunk(job_in(reference, ids=ids), lambda missing: simple(arrays_of))
    assert (tmp_path / "0.json").read_bytes() == (reference / "0.json").read_bytes()
