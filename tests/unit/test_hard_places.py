"""Several writers at once, locks that were left, clocks that jump, quotas: what a cluster does to a chunk."""

import errno
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time

import pytest
from test_store import arrays_of, job_in

from semcorr.errors import ItemError
from semcorr.stages.running import job as jobs
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import content_hash, save_item
from semcorr.store.lock import FolderLock
from semcorr.store.manifest import Manifest

IDS = [f"{letter}{n}" for n in range(4) for letter in "abc"]

WRITER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_hard_places import IDS
from test_store import arrays_of, job_in
from semcorr.store.chunk import simple, write_chunk
folder = Path(sys.argv[1])
def compute(item_id):
    with open(folder.parent / "computed.txt", "a") as log:
        log.write(f"{sys.argv[2]} {item_id}\\n")
    time.sleep(0.02)
    return arrays_of(item_id)
print("ready", flush=True)
sys.stdin.readline()
write_chunk(job_in(folder, ids=IDS, cfg={"k": int(sys.argv[2])}), lambda missing: simple(compute))
"""


def test_writers_of_one_chunk_at_once(tmp_path):
    """Two with one configuration and one with another: each item once a configuration, one whole store."""
    folder = tmp_path / "chunk"
    folder.mkdir()
    command = [sys.executable, "-c", WRITER, str(folder)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    here = os.path.dirname(__file__)
    writers = [subprocess.Popen([*command, key, here], **pipe) for key in ("1", "1", "2")]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.stdin.close()
        writer.stdout.close()
    reader = ChunkReader(folder / "0.json")
    assert reader.ids == sorted(IDS)
    for item_id in IDS:
        assert content_hash(reader.read(item_id)) == reader.manifest.by_id[item_id].sha256
    computed = (tmp_path / "computed.txt").read_text().splitlines()
    # whoever waited for an equal job took its result; only a third in between makes it compute again
    most = 2 if reader.attributes["cfg"] == {"k": 1} else 1
    assert max(computed.count(line) for line in set(computed)) <= most
    assert {line for line in computed if line.startswith("2")} == {f"2 {i}" for i in IDS}
    assert sorted(p.name for p in folder.iterdir()) == ["0.json", "0.zarr"]


def test_store_and_manifest_are_of_one_writer(tmp_path, monkeypatch):
    """Another configuration comes in between store and manifest: it waits until both are there."""
    first, second = (job_in(tmp_path, cfg={"k": k}) for k in (1, 2))
    monkeypatch.setattr("semcorr.store.chunk._clear_other_parts", lambda job: None)
    other = threading.Thread(
        target=write_chunk,
        args=(second, lambda missing: simple(lambda i: arrays_of(chr(ord(i) + 5)))),
    )
    write = Manifest.write

    def late(manifest, path):
        if not other.ident:
            other.start()
            other.join(timeout=1)
        write(manifest, path)

    monkeypatch.setattr(Manifest, "write", late)
    write_chunk(first, lambda missing: simple(arrays_of))
    other.join()
    reader = ChunkReader(tmp_path / "0.json")
    assert reader.attributes["cfg"] == {"k": 2}
    for item_id in reader.ids:
        assert content_hash(reader.read(item_id)) == reader.manifest.by_id[item_id].sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.json", "0.zarr"]


@pytest.mark.parametrize("text", ["", "999999999 elsewhere\n", "no number\n", "\0\0\0"])
def test_a_lock_that_was_left_holds_nobody_up(tmp_path, text):
    """A machine that went down leaves the file; the lock itself went with the process."""
    lock = FolderLock(tmp_path / "0.part-x")
    lock.file.write_text(text)
    start = time.monotonic()
    with lock:
        assert time.monotonic() - start < 5
        assert lock.file.read_text().split()[0] == str(os.getpid())
    assert list(tmp_path.iterdir()) == [tmp_path / "0.part-x"]


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    """Items from tomorrow are resumed; a clock that goes back and forth gives the same bytes."""
    for name in ("plain", "jumping"):
        (tmp_path / name).mkdir()
    write_chunk(job_in(tmp_path / "plain"), lambda missing: simple(arrays_of))

    days = itertools.cycle([0.0, 86_400.0, -86_400.0 * 400])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(days))
    job = job_in(tmp_path / "jumping")
    job.part_folder.mkdir(parents=True)
    save_item(job.part_folder, "a", arrays_of("a"))
    for path in job.part_folder.iterdir():
        os.utime(path, (real() + 86_400, real() + 86_400))
    asked = []
    write_chunk(job, lambda missing: asked.extend(missing) or simple(arrays_of))
    assert asked == ["b", "c"]
    texts = [(tmp_path / name / "0.json").read_bytes() for name in ("plain", "jumping")]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disks_and_quotas_say_what_to_do_and_record_nothing(tmp_path, number, caplog):
    def main(_):
        def compute(item_id):
            if item_id == "b":
                raise OSError(number, os.strerror(number), str(tmp_path / "0.part-x"))
            return arrays_of(item_id)

        write_chunk(job_in(tmp_path), lambda missing: simple(compute))

    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit) as ended:
        jobs._run(main, jobs.StageJob({}, {}, {}))
    assert ended.value.code == 1
    assert "Free some space and run the same command again" in caplog.text
    assert os.strerror(number) in caplog.text
    assert "Traceback" not in caplog.text
    assert not (tmp_path / "0.json").exists()
    kept = list(job_in(tmp_path).part_folder.iterdir())
    assert [p.suffix for p in kept] == [".npz"]


def test_a_chunk_in_which_every_item_fails_can_be_read(tmp_path):
    def fail(item_id):
        raise ItemError(f"{item_id}.obj: the file is empty")

    manifest = write_chunk(job_in(tmp_path), lambda missing: simple(fail))
    assert [row.status for row in manifest.rows] == ["failed"] * 3
    reader = ChunkReader(tmp_path / "0.json")
    assert reader.ids == []
    assert reader.attributes["cfg"] == {"k": 1}
    with pytest.raises(ItemError, match=r"failed: b\.obj: the file is empty") as caught:
        reader.read("b")
    assert caught.value.status == "upstream_failed"
    assert json.loads((tmp_path / "0.json").read_text())["items"][0]["reason"]
