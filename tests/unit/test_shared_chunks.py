"""Chunks shared between users and checkouts, and views that are collected on a node's own disk."""

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from test_store import arrays_of, job_in

from semcorr.errors import ItemError, UserError
from semcorr.stages.running.job import Runtime
from semcorr.store.chunk import ChunkReader, retry_failed, simple, write_chunk
from semcorr.store.items import content_hash
from semcorr.store.shared import VARIABLE, shared_chunk


@pytest.fixture
def shared(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache/semcorr/renders"


class User:
    """A checkout: writes the same chunk into a folder of its own and counts what it computes."""

    def __init__(self, folder):
        self.folder, self.computed = folder, []
        folder.mkdir(parents=True, exist_ok=True)

    def compute(self, item_id):
        self.computed.append(item_id)
        return arrays_of(item_id)

    def write(self, compute=None, **changes):
        job = job_in(self.folder, **changes)
        place = shared_chunk("renders", job.key)
        return write_chunk(job, lambda missing: simple(compute or self.compute), shared=place)


@pytest.fixture
def users(tmp_path, shared):
    return [User(tmp_path / name) for name in ("one", "two")]


def test_a_second_checkout_computes_nothing_and_has_the_same(users, shared):
    one, two = users
    one.write()
    two.write()
    assert (one.computed, two.computed) == (["a", "b", "c"], [])
    assert (one.folder / "0.json").read_bytes() == (two.folder / "0.json").read_bytes()
    reader = ChunkReader(two.folder / "0.json")
    for item_id in reader.ids:
        assert content_hash(reader.read(item_id)) == reader.manifest.by_id[item_id].sha256
    assert sorted(p.name for p in two.folder.iterdir()) == ["0.json", "0.zarr"]
    # nobody's store is a link that others could pull away
    shutil.rmtree(shared)
    np.testing.assert_array_equal(ChunkReader(two.folder / "0.json").read("a")["grid"], 7)


def test_another_configuration_is_another_entry(users, shared):
    one, two = users
    one.write()
    two.write(cfg={"k": 2})
    assert two.computed == ["a", "b", "c"]
    assert len(list(shared.iterdir())) == 2


def test_failed_rows_are_never_shared_and_can_be_tried_again(users, shared):
    one, two = users

    def fail(item_id):
        if item_id == "b":
            raise ItemError("not there", "missing")
        return arrays_of(item_id)

    one.write(fail)
    assert not shared.exists() or not list(shared.iterdir())
    assert retry_failed(one.folder / "0.zarr", one.folder / "0.json") == 1
    assert one.write().ok_ids == ["a", "b", "c"]
    assert one.computed == ["b"]
    two.write()
    assert two.computed == []


@pytest.mark.parametrize("damage", ["a byte", "no manifest", "cut", "another key"])
def test_a_damaged_entry_is_computed_instead(users, shared, damage, caplog):
    one, two = users
    one.write()
    (entry,) = shared.iterdir()
    (shard,) = (p for p in (entry / "store.zarr/points").glob("c.*") if p.is_file())
    if damage == "no manifest":
        (entry / "manifest.json").unlink()
    elif damage == "another key":
        root = entry / "store.zarr/zarr.json"
        text = root.read_text().replace(job_in(one.folder).key, "0" * 64)
        root.unlink()
        root.write_text(text)
    else:
        data = bytearray(shard.read_bytes())
        data[20] ^= 255
        shard.unlink()  # the bytes are shared with the first user's store
        shard.write_bytes(data if damage == "a byte" else data[:20])
    with caplog.at_level(logging.WARNING):
        two.write()
    assert two.computed == ["a", "b", "c"]
    assert "computing the chunk instead" in caplog.text


@pytest.mark.parametrize("value", ["", "s3://bucket/cache"])
def test_without_a_folder_nothing_is_shared(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    assert shared_chunk("renders", "k") is None


def test_a_cache_that_cannot_be_written_harms_nothing(users, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file in its place")
    with caplog.at_level(logging.WARNING):
        assert users[0].write().ok_ids == ["a", "b", "c"]
    assert "not shared" in caplog.text
    assert sorted(p.name for p in users[0].folder.iterdir()) == ["0.json", "0.zarr"]


def test_without_hard_links_entries_are_copies(users, shared, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Cross-device link")

    monkeypatch.setattr("semcorr.store.shared_folders.link", refuse)
    users[0].write()
    users[1].write()
    assert users[1].computed == []
    files = [p for p in (users[1].folder / "0.zarr").rglob("*") if p.is_file()]
    assert {p.stat().st_nlink for p in files} == {1}


# -- several users ---------------------------------------------------------------------------

GROUP = 4500
# Everything is imported, and used once, by root: the others may not read an interpreter in root's home
TWO_USERS = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_shared_chunks import GROUP, VARIABLE, User
base, umask = Path(sys.argv[2]), int(sys.argv[3], 8)
os.environ.pop(VARIABLE, None)
User(base / "root").write()
os.environ[VARIABLE] = str(base / "cache")

def computed(number, groups, **changes):
    os.umask(umask)
    os.setgroups(groups)
    os.setegid(number)
    os.seteuid(number)
    try:
        user = User(base / str(number) / str(len(changes)))
        user.write(**changes)
        return len(user.computed)
    finally:
        os.seteuid(0)
        os.setegid(0)

print(json.dumps([
    computed(4001, [GROUP]),
    computed(4002, [GROUP]),
    computed(4002, [GROUP], cfg={"k": 2}),
    computed(4001, [GROUP], cfg={"k": 2}),
    computed(4003, []),
]))
"""


@pytest.mark.users
@pytest.mark.parametrize("umask", ["022", "077"])
@pytest.mark.parametrize("mode", [0o2770, 0o2775, 0o3777])
def test_users_of_one_group_take_from_each_other_and_put(mode, umask):
    """An administrator's folder, two users with private groups and whatever umask, a third outside."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        for name in ("4001", "4002", "4003"):
            (base / name).mkdir()
            os.chown(base / name, int(name), int(name))
        cache = base / "cache"
        cache.mkdir()
        os.chown(cache, 0, GROUP)
        cache.chmod(mode)
        command = [sys.executable, "-c", TWO_USERS, os.path.dirname(__file__), folder, umask]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        outside = 0 if mode & stat.S_IROTH else 3
        assert json.loads(done.stdout) == [3, 0, 3, 0, outside]
        entries = list((cache / "semcorr/renders").iterdir())
        assert {path.stat().st_uid for path in entries} == {4001, 4002}
        assert not [path for path in entries if path.name.startswith(".")]
        for path in cache.rglob("*"):
            status = path.stat()
            if path.is_dir():
                assert (stat.S_IMODE(status.st_mode), status.st_gid) == (mode, GROUP), path
            else:
                assert status.st_mode & mode & 0o444 == mode & 0o444, path
                assert status.st_gid == GROUP or status.st_mode & stat.S_IROTH, path
        # what was taken is the user's own, as open as the umask says
        for path in (base / "4002").rglob("*"):
            status = path.stat()
            if path.is_dir():
                assert stat.S_IMODE(status.st_mode) == 0o777 & ~int(umask, 8), path


def test_a_folder_that_nobody_prepared_is_made_as_any_other(users, tmp_path):
    """No mode comes from above it: a cache in /tmp would be open to everybody."""
    tmp_path.chmod(0o1777)
    users[0].write()
    expected = (tmp_path / "one").stat().st_mode
    assert {
        p.stat().st_mode
        for p in [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
        if p.is_dir()
    } == {expected}


# -- scratch ---------------------------------------------------------------------------------


def test_items_are_collected_on_scratch_and_the_result_is_the_same(tmp_path):
    plain, other, scratch = (tmp_path / name for name in ("plain", "other", "scratch"))
    for folder in (plain, other, scratch):
        folder.mkdir()
    write_chunk(job_in(plain), lambda missing: simple(arrays_of))
    seen = []

    def watched(item_id):
        seen.append((len(list(scratch.rglob("*.npz"))), len(list(other.rglob("*.npz")))))
        return arrays_of(item_id)

    write_chunk(job_in(other, scratch=scratch), lambda missing: simple(watched))
    assert seen == [(0, 0), (1, 0), (2, 0)]
    assert (plain / "0.json").read_bytes() == (other / "0.json").read_bytes()
    assert ChunkReader(other / "0.json").attributes == ChunkReader(plain / "0.json").attributes
    assert list(scratch.iterdir()) == []
    assert sorted(p.name for p in other.iterdir()) == ["0.json", "0.zarr"]


def test_a_next_try_on_the_same_node_goes_on_and_on_another_starts_again(tmp_path):
    nodes = [tmp_path / "node1", tmp_path / "node2"]
    chunk = tmp_path / "chunk"
    for folder in (*nodes, chunk):
        folder.mkdir()

    def dies(item_id):
        if item_id == "c":
            raise OSError("node is going down")
        return arrays_of(item_id)

    with pytest.raises(OSError, match="going down"):
        write_chunk(job_in(chunk, scratch=nodes[0]), lambda missing: simple(dies))
    asked = []
    for node in (nodes[1], nodes[0]):
        with pytest.raises(OSError, match="going down"):
            write_chunk(
                job_in(chunk, scratch=node), lambda missing: asked.append(missing) or simple(dies)
            )
    assert asked == [["a", "b", "c"], ["c"]]


def test_rows_that_retry_failed_kept_are_used_on_scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "chunk").mkdir()
    job = job_in(tmp_path / "chunk", scratch=tmp_path / "scratch")

    def fail(item_id):
        if item_id == "b":
            raise ItemError("crashed")
        return arrays_of(item_id)

    write_chunk(job, lambda missing: simple(fail))
    retry_failed(job.store, job.manifest)
    asked = []
    write_chunk(job, lambda missing: asked.extend(missing) or simple(arrays_of))
    assert asked == ["b"]


def test_scratch_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("NODE_DISK", str(tmp_path))
    assert Runtime(scratch="$NODE_DISK").scratch_folder() == tmp_path
    assert Runtime().scratch_folder() is None
    monkeypatch.delenv("NODE_DISK")
    with pytest.raises(UserError, match=r"scratch: \$NODE_DISK: no such folder on "):
        Runtime(scratch="$NODE_DISK").scratch_folder()
