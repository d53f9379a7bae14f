"""The stage of downloads: rows, records, what is kept, resumption; the meshes that are read from it."""

import hashlib
import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from objaverse_site import Trouble, glb, uid_of

from semcorr.assets.download import TransientError
from semcorr.datasets import members as item_lists
from semcorr.datasets.objaverse import record_of
from semcorr.errors import UserError
from semcorr.stages import meshes, raw, truth
from semcorr.stages.running.job import Runtime, StageJob
from semcorr.store.chunk import ChunkReader, retry_failed
from semcorr.store.manifest import read_manifest
from semcorr.store.shared import VARIABLE


class Set:
    """A data set in one chunk: its list, and jobs over it as the workflow makes them."""

    def __init__(self, root, site):
        self.root, self.site, self.rows = root, site, []
        self.entry = {
            "kind": "objaverse",
            "list": str(root / "list.csv"),
            "chunks": 1,
            "url": "https://huggingface.co/datasets/allenai/objaverse/resolve/main",
            "truth": None,
            "connections": 2,
        }
        self.max_bytes = 10**6

    def add(self, number, body=None, sha256="", licence="by", **trouble):
        uid, path = self.site.add(number, body, **trouble)
        self.rows.append(f"{uid},{path},chair,{sha256},{licence},A,T,https://page")
        return uid

    def job(self, stage, code="a", offline=False):
        (self.root / "list.csv").write_text(
            "\n".join(["id,path,category,sha256,licence,author,title,page", *self.rows]) + "\n"
        )
        item_lists._objects.cache_clear()
        found = item_lists.read_members({"s": self.entry}, "s")
        results = self.root / "results"
        inputs = {n: [results / f"{n}/s/0.json"] for n in ("raw", "meshes", "truth")}
        wanted = {"raw": [], "meshes": ["raw"], "truth": ["meshes"]}[stage]
        path = results / stage / "s"
        cfg = {"max_bytes": self.max_bytes}
        if stage != "raw":
            cfg = {"kind": "objaverse", "max_vertices": 1000, "global_seed": 0}
        # what the workflow engine does before a job
        (path / "0.json").unlink(missing_ok=True)
        shutil.rmtree(path / "0.zarr", ignore_errors=True)
        return StageJob(
            inputs={n: inputs[n] for n in wanted},
            outputs={"manifest": path / "0.json", "store": path / "0.zarr"},
            cfg=cfg,
            code=code,
            members=[[m.id, m.digest(tuple(m.columns))] for m in found.values()],
            wildcards={"dataset": "s", "chunk": "0"},
            config={"datasets": {"s": self.entry}},
            runtime=Runtime(offline=offline),
        )

    def run(self, stage="raw", **options):
        job = self.job(stage, **options)
        {"raw": raw, "meshes": meshes, "truth": truth}[stage].main(job)
        return ChunkReader(job.outputs["manifest"])

    def asked(self, uid):
        return len(self.site.asked(self.site.paths[uid]))


@pytest.fixture
def objects(tmp_path, site):
    return Set(tmp_path, site)


def statuses(reader):
    return {row.id: row.status for row in reader.manifest.rows}


def test_bytes_and_records_of_every_object(objects):
    body = glb((2, 1, 1))
    sha256 = hashlib.sha256(body).hexdigest()
    uid = objects.add(1, body, sha256=sha256, licence="by-nc")
    arrays = objects.run().read(uid)
    assert arrays["content"].tobytes() == body
    assert record_of(arrays) == {
        "path": f"glbs/000-000/{uid}.glb",
        "sha256": sha256,
        "bytes": len(body),
        "licence": "by-nc",
        "author": "A",
        "title": "T",
        "page": "https://page",
    }


def test_every_permanent_failure_is_a_row(objects):
    good = objects.add(0)
    gone = objects.add(1, b"")
    changed = objects.add(2, sha256="0" * 64)
    cut = objects.add(3, glb(padding=400)[:-300])
    large = objects.add(4, glb(padding=2 * 10**6))
    objects.rows.append("up,../../x.glb,chair,,,,,")
    reader = objects.run()
    assert statuses(reader) == {
        good: "ok",
        gone: "missing",
        changed: "modified",
        cut: "failed",
        large: "failed",
        "up": "outside",
    }
    text = (objects.root / "results/raw/s/0.json").read_text()
    assert "127.0.0.1" not in text
    assert str(objects.root) not in text


def test_two_downloads_give_the_same_manifest_from_wherever_the_bytes_come(
    objects, monkeypatch, tmp_path
):
    uid = objects.add(1)
    first = objects.run().manifest
    file = tmp_path / "mirror" / objects.site.paths[uid]
    file.parent.mkdir(parents=True)
    file.write_bytes(objects.site.files[objects.site.paths[uid]])
    shutil.rmtree(objects.root / "results")
    monkeypatch.setenv("SEMCORR_MIRROR", str(tmp_path / "mirror"))
    assert objects.run(offline=True).manifest == first


def test_a_transient_failure_keeps_what_arrived_and_remembers_nothing(objects):
    good, bad = objects.add(1), objects.add(2, forever=503)
    objects.site.add(3)
    with pytest.raises(TransientError, match="1 of 2 objects"):
        objects.run()
    assert not (objects.root / "results/raw/s/0.json").exists()
    objects.site.troubles.clear()
    assert statuses(objects.run()) == {good: "ok", bad: "ok"}
    assert (objects.asked(good), objects.asked(bad)) == (1, 1)
    left = sorted(p.name for p in (objects.root / "results/raw/s").iterdir())
    assert left == [".0.kept", "0.json", "0.zarr"]


def test_objects_that_join_or_leave_cost_no_second_download(objects):
    first, second = objects.add(1), objects.add(2)
    objects.run()
    third = objects.add(3)
    objects.rows[1] = objects.rows[1].replace(",by,", ",by-sa,")
    del objects.rows[0]
    reader = objects.run()
    assert statuses(reader) == {second: "ok", third: "ok"}
    assert [objects.asked(u) for u in (first, second, third)] == [1, 1, 1]
    assert record_of(reader.read(second))["licence"] == "by-sa"


def test_what_is_kept_must_be_what_the_list_says_now(objects):
    uid = objects.add(1)
    objects.run()
    body = glb((3, 3, 1))
    objects.site.files[objects.site.paths[uid]] = body
    objects.rows = []
    objects.add(1, body, sha256=hashlib.sha256(body).hexdigest())
    assert objects.run().read(uid)["content"].tobytes() == body
    objects.max_bytes = 10
    assert statuses(objects.run()) == {uid: "failed"}


def test_kept_bytes_are_links_and_damage_to_them_is_noticed(objects):
    uid = objects.add(1)
    objects.run()
    folder = objects.root / "results/raw/s"
    links = [p.stat().st_nlink for p in (folder / "0.zarr").rglob("*") if p.is_file()]
    assert set(links) == {2}
    shard = max((folder / ".0.kept/store.zarr/content").glob("c.*"), key=lambda p: p.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[20] ^= 255
    shard.write_bytes(data)
    assert statuses(objects.run(code="b")) == {uid: "ok"}
    assert objects.asked(uid) == 2


def test_a_half_kept_store_is_passed_over(objects):
    uid = objects.add(1)
    objects.run()
    shutil.rmtree(objects.root / "results/raw/s/.0.kept/store.zarr")
    assert statuses(objects.run(code="b")) == {uid: "ok"}
    assert objects.asked(uid) == 2


# -- the cache that checkouts share -----------------------------------------------------------


@pytest.fixture
def checkouts(tmp_path, site, monkeypatch):
    """Two checkouts with one list of two objects."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    found = [Set(tmp_path / name, site) for name in ("one", "two")]
    for checkout in found:
        checkout.root.mkdir()
        for number in (1, 2):
            checkout.add(number)
    return found


def test_a_second_checkout_asks_the_server_nothing(checkouts, site):
    one, two = checkouts
    first = one.run()
    assert [one.asked(uid) for uid in first.ids] == [1, 1]
    site.requests.clear()
    second = two.run()
    assert site.requests == []
    assert second.manifest == first.manifest
    for uid in second.ids:
        assert second.read(uid)["content"].tobytes() == site.files[site.paths[uid]]
    left = sorted(path.name for path in (two.root / "results/raw/s").iterdir())
    assert left == [".0.kept", "0.json", "0.zarr"]


def test_what_was_taken_is_kept_as_what_was_fetched(checkouts, site, tmp_path):
    """An object that joins costs one download, though the others never were this checkout's own."""
    one, two = checkouts
    first = one.run()
    two.run()
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(one.root / "results")
    site.requests.clear()
    third = two.add(3)
    reader = two.run()
    assert statuses(reader) == dict.fromkeys([*first.ids, third], "ok")
    assert [len(site.asked(site.paths[uid])) for uid in (*first.ids, third)] == [0, 0, 1]


def test_what_a_killed_download_left_is_cleared_when_a_chunk_is_taken(checkouts):
    one, two = checkouts
    one.run()
    partial = two.root / "results/raw/s/.0.partial"
    partial.mkdir(parents=True)
    (partial / "x.part").write_bytes(b"half")
    assert set(statuses(two.run()).values()) == {"ok"}
    assert not partial.exists()


def test_other_bytes_an_other_address_or_a_failed_object_are_not_taken(checkouts, site):
    one, two = checkouts
    one.run()
    site.requests.clear()
    two.entry["url"] = site.url
    two.run()
    assert [two.asked(uid) for uid in site.paths] == [1, 1]
    two.entry["url"] = one.entry["url"]
    gone = [checkout.add(3, b"") for checkout in checkouts][0]
    # neither puts a chunk with a missing object there: both ask for it
    for checkout in checkouts:
        site.requests.clear()
        assert statuses(checkout.run())[gone] == "missing"
        assert any(path.endswith(f"/{gone}.glb") for path, _ in site.requests)


def test_without_hard_links_nothing_is_kept(objects, monkeypatch):
    uid = objects.add(1)

    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(raw, "link", refuse)
    assert statuses(objects.run()) == {uid: "ok"}
    assert not (objects.root / "results/raw/s/.0.kept").exists()


def test_failed_rows_are_fetched_again_and_good_ones_are_not(objects):
    good, gone = objects.add(1), objects.add(2, b"")
    reader = objects.run()
    assert statuses(reader)[gone] == "missing"
    folder = objects.root / "results/raw/s"
    assert retry_failed(folder / "0.zarr", folder / "0.json") == 1
    objects.site.files[objects.site.paths[gone]] = glb()
    assert statuses(objects.run()) == {good: "ok", gone: "ok"}
    assert objects.asked(good) == 1


def test_a_killed_job_goes_on_in_the_middle_of_a_file(objects, tmp_path):
    """SIGKILL of the stage's own process, then the same job: every byte is sent once."""
    uids = [objects.add(n, glb((1 + n, 1, 1), padding=200_000)) for n in range(3)]
    for path in objects.site.paths.values():
        objects.site.troubles[path] = Trouble(seconds_per_block=0.05)
    job = objects.job("raw")
    fields = ("outputs", "cfg", "code", "members", "wildcards", "config")
    text = json.dumps({"inputs": {}} | {n: getattr(job, n) for n in fields}, default=str)
    (tmp_path / "job.json").write_text(text)
    command = [sys.executable, "-m", "semcorr.stages.raw", str(tmp_path / "job.json")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        partial = objects.root / "results/raw/s/.0.partial"
        while sum(p.stat().st_size > 20_000 for p in partial.glob("*.part")) < 2:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        process.kill()
    assert not job.outputs["manifest"].exists()
    arrived = {p.name: p.stat().st_size for p in partial.glob("*.part")}
    objects.site.troubles.clear()
    reader = objects.run()
    assert {i: reader.read(i)["content"].tobytes() for i in uids} == {
        i: objects.site.files[objects.site.paths[i]] for i in uids
    }
    spans = [span for i in uids for span in objects.site.asked(objects.site.paths[i])]
    assert {f"bytes={size}-" for size in arrived.values()} <= set(spans)
    assert spans.count(None) == 3
    assert not partial.exists()


def test_offline_stops_with_the_remedy(objects):
    objects.add(1)
    with pytest.raises(UserError, match="offline is set.*SEMCORR_MIRROR"):
        objects.run(offline=True)


def test_a_chunk_without_a_usable_object(objects):
    objects.rows.append("x,/x.glb,chair,,,,,")
    assert statuses(objects.run()) == {"x": "outside"}
    assert statuses(objects.run("meshes")) == {"x": "outside"}


def test_meshes_and_truth_of_downloads(objects):
    good = objects.add(1, glb((2, 4, 1)))
    gone, no_faces = objects.add(2, b""), objects.add(3, glb((0, 0, 0)))
    objects.run()
    reader = objects.run("meshes")
    assert statuses(reader) == {good: "ok", gone: "upstream_failed", no_faces: "failed"}
    reasons = {row.id: row.reason for row in reader.manifest.rows}
    assert reasons[gone] == f"missing: glbs/000-000/{gone}.glb: is not on the server"
    assert reasons[no_faces].startswith(f"{no_faces}.glb: has no extent")
    vertices = reader.read(good)["vertices"]
    # glTF has Y up and the front at +Z; the world has Z up and the front at -Y
    np.testing.assert_allclose(np.ptp(vertices, axis=0), [0.5, 0.25, 1.0], atol=1e-6)
    known = objects.run("truth").read(good)
    assert (known["face_labels"] == -1).all()


def test_a_labelled_source_among_the_others(objects):
    labelled, other = objects.add(1), objects.add(2)
    objects.entry["truth"] = str(objects.root / "mine")
    (objects.root / "mine/labels").mkdir(parents=True)
    label_file = {"names": ["seat"], "faces": [0] * 12}
    (objects.root / f"mine/labels/{labelled}.json").write_text(json.dumps(label_file))
    for stage in ("raw", "meshes"):
        objects.run(stage)
    reader = objects.run("truth")
    assert (reader.read(labelled)["face_labels"] == 0).all()
    assert (reader.read(other)["face_labels"] == -1).all()


def test_objects_that_refer_to_other_files_cannot_leave_the_store(objects, tmp_path):
    body = glb()
    text = body.replace(b'"buffers": [{"byteLength"', b'"buffers": [{"uri":"/etc/passwd","a"')
    size = len(text) - len(body)
    text = text[:8] + (len(text)).to_bytes(4, "little") + text[12:]
    json_length = int.from_bytes(body[12:16], "little") + size
    text = text[:12] + json_length.to_bytes(4, "little") + text[16:]
    uid = objects.add(1, text)
    objects.run()
    row = objects.run("meshes").manifest.by_id[uid]
    assert row.status == "outside", row


def test_the_manifest_can_be_read_back(objects):
    objects.add(1)
    reader = objects.run()
    assert read_manifest(objects.root / "results/raw/s/0.json") == reader.manifest
    assert uid_of(1) in reader.ids
