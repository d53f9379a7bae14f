"""A synthetic Objaverse through the real Snakefile: lists, downloads, a table; troubles, kills, changes."""

import contextlib
import json
import os
import signal
import time

import harness
import pytest
from objaverse_site import Trouble, glb, uid_of

from semcorr.stages.objaverse_list import command_line

CHUNKS = 2
CATEGORY = "chair"


@pytest.fixture
def work(site, repository, server, tmp_path):
    """An empty work folder whose hub is the site."""
    folder = tmp_path / "work"
    folder.mkdir()
    return harness.Work(folder, repository, {"HF_ENDPOINT": site.endpoint}, server)


def config(**keys):
    """One data set of downloads, and an experiment with one labelled source."""
    entry = {"kind": "objaverse", "list": "chairs.csv", "chunks": CHUNKS, "truth": "mine"}
    return {
        "device": "cpu",
        "min_coverage": 0.5,
        "datasets": {"chairs": entry | keys},
        "methods": {"spatial": {"matcher": "spatial"}},
        "coseg": {
            "seats": {
                "category": CATEGORY,
                "poses": {"aligned": "chairs"},
                "sources": [uid_of(0)],
                "methods": ["spatial"],
            }
        },
    }


def write_list(work, *more):
    """Make the list with the command and label objects 0 and 1."""
    path = work.folder / "chairs.csv"
    options = ["--categories", CATEGORY, "--out", str(path), "--force"]
    assert command_line([*options, "--cache", str(work.folder / "cache"), *more]) == 0
    (work.folder / "mine/labels").mkdir(parents=True, exist_ok=True)
    for number in (0, 1):
        labels = {"names": ["low", "high"], "faces": [0] * 6 + [1] * 6}
        (work.folder / f"mine/labels/{uid_of(number)}.json").write_text(json.dumps(labels))


def statuses(work, section):
    """Return {id: status} over all chunks."""
    folder = work.results / section / "chairs"
    rows = [i for path in folder.glob("?.json") for i in json.loads(path.read_text())["items"]]
    return {row["id"]: row["status"] for row in rows}


def chunk_files(section, chunk):
    return {f"results/{section}/chairs/{chunk}{suffix}" for suffix in (".json", ".zarr")}


def test_from_the_command_to_the_table(site, work):
    """Objects that are corrupt, missing, slow, refused at first: rows and a table, and never a crash."""
    for number in range(6):
        site.add(number, licence=("by", "cc0", "by-sa")[number % 3], folder=f"000-00{number % 2}")
    site.troubles[site.paths[uid_of(2)]] = Trouble(statuses=[503, 503])
    site.troubles[site.paths[uid_of(3)]] = Trouble(seconds_per_block=0.2, drop_after=[300])
    _, cut = site.add(6, glb(padding=400)[:-300])
    site.add(7, b"")
    site.add(8, glb((0, 0, 0)))
    site.add(9, licence="by-nc")
    site.annotate()
    write_list(work, "--licences", "by,by-sa,cc0")
    work.write_config(config())
    work.run("results/coseg/seats.json", "downloads")

    good = {uid_of(n) for n in range(6)}
    expected = dict.fromkeys(good, "ok") | {uid_of(6): "failed", uid_of(7): "missing"}
    assert statuses(work, "raw") == expected | {uid_of(8): "ok"}
    down = {uid_of(n): "upstream_failed" for n in (6, 7)}
    assert statuses(work, "meshes") == dict.fromkeys(good, "ok") | down | {uid_of(8): "failed"}
    table = json.loads((work.results / "coseg/seats.json").read_text())
    assert "spatial" in json.dumps(table)
    assert site.asked(site.paths[uid_of(3)]) == [None, "bytes=300-"]
    assert len(site.asked(cut)) == 2
    assert harness.verified_stores(work.results) >= 3 * len(good)
    files = [p for p in (work.results / "raw/chairs/0.zarr").rglob("*") if p.is_file()]
    assert len(files) <= 60
    assert work.plan("results/coseg/seats.json", "downloads").outputs == frozenset()

    # the index says why, per object; failed rows alone are fetched again, good ones are taken over
    site.files[site.paths[uid_of(7)]] = glb()
    asked = len(site.asked(site.paths[uid_of(0)]))
    work.run("retry_failed")
    work.run("results/coseg/seats.json")
    assert statuses(work, "raw")[uid_of(7)] == statuses(work, "meshes")[uid_of(7)] == "ok"
    assert len(site.asked(site.paths[uid_of(0)])) == asked


def test_what_a_change_of_the_list_or_of_a_key_plans(site, work):
    for number in range(5):
        site.add(number)
    site.annotate()
    write_list(work)
    work.write_config(config())
    targets = ["results/coseg/seats.json", "downloads"]
    work.run(*targets)

    for keys in ({"url": site.url}, {"connections": 1}, {"list": "./chairs.csv"}):
        work.write_config(config(**keys))
        assert work.plan(*targets).outputs == frozenset(), keys
    work.write_config(config(max_vertices=1000))
    outputs = work.plan(*targets).outputs
    assert outputs >= chunk_files("meshes", 0) | chunk_files("meshes", 1)
    assert not any("/raw/" in path for path in outputs)
    work.write_config(config(max_bytes=10**6))
    assert work.plan(*targets).outputs >= chunk_files("raw", 0) | chunk_files("raw", 1)

    # an object more: its chunk alone, and of that chunk one download
    work.write_config(config())
    uid, path = site.add(17)
    site.annotate()
    (work.folder / "cache").rename(work.folder / "old_cache")
    write_list(work)
    chunk = int.from_bytes(harness.hashlib.sha256(uid.encode()).digest()) % CHUNKS
    outputs = work.plan(*targets).outputs
    assert outputs >= chunk_files("raw", chunk) | chunk_files("meshes", chunk)
    assert not outputs & (chunk_files("raw", 1 - chunk) | chunk_files("meshes", 1 - chunk))
    asked = {p: len(site.asked(p)) for p in site.paths.values()}
    work.run(*targets)
    assert {p: len(site.asked(p)) for p in site.paths.values()} == asked | {path: 1}

    # downloads that are gone are not missed while what was made of them is there
    harness.shutil.rmtree(work.results / "raw/chairs")
    assert work.plan("results/coseg/seats.json").outputs == frozenset()


def test_an_outage_fails_the_run_and_leaves_no_trace_in_the_results(site, work):
    for number in range(4):
        site.add(number)
    site.annotate()
    write_list(work)
    work.write_config(config())
    down = site.paths[uid_of(3)]
    site.troubles[down] = Trouble(forever=503)
    run = work.run("downloads", "--keep-going", succeeds=False)
    assert "nothing was recorded as missing" in run.text
    assert uid_of(3) not in statuses(work, "raw")
    site.troubles.clear()
    work.run("downloads")
    assert set(statuses(work, "raw").values()) == {"ok"}
    assert [len(site.asked(path)) for path in site.paths.values()] == [1] * 4


def test_offline_is_one_clear_line(site, work):
    site.add(0)
    site.annotate()
    write_list(work)
    work.write_config(config() | {"offline": True})
    before = len(site.requests)
    run = work.run("downloads", succeeds=False)
    assert "is not in the mirror and offline is set" in run.text
    assert "SEMCORR_MIRROR" in run.text
    assert len(site.requests) == before


def test_a_missing_list_says_how_to_make_one(work):
    work.write_config(config())
    plan = work.plan("downloads")
    assert plan.code != 0
    assert "chairs.csv: no such item list; python -m semcorr.stages.objaverse_list" in plan.text


def test_a_killed_download_goes_on_where_it_was(site, work, tmp_path):
    """SIGKILL in the middle of a file; the same command again; the contents of a run without a kill."""
    for number in range(6):
        site.add(number, glb((1 + number / 10, 1, 0.5), padding=60_000 + 4 * number))
    site.annotate()
    write_list(work)
    work.write_config(config(chunks=1, connections=2))
    undisturbed = work.copy(tmp_path / "undisturbed")
    undisturbed.run("results/meshes/chairs/0.json")

    site.requests.clear()
    site.troubles = {path: Trouble(seconds_per_block=0.05) for path in site.paths.values()}
    process = work.start("results/meshes/chairs/0.json")
    kill_when(lambda: len([p for p, _ in site.requests if p.startswith("/cdn/")]) >= 4, work)
    assert process.end().code != 0
    partial = work.results / "raw/chairs/.0.partial"
    assert any(path.stat().st_size for path in partial.glob("*.part"))
    assert not (work.results / "raw/chairs/0.json").exists()
    site.troubles.clear()
    work.run("results/meshes/chairs/0.json")
    assert work.contents() == undisturbed.contents()
    spans = [span for path in site.paths.values() for span in site.asked(path)]
    assert any(span for span in spans), "a file that had begun was not continued"
    whole = [len([s for s in site.asked(path) if s is None]) for path in site.paths.values()]
    assert max(whole) == 1, "bytes that had arrived were fetched again"


def kill_when(reached, work):
    """Send SIGKILL to the job that downloads, as soon as `reached`; its lock names it."""
    lock = work.results / "raw/chairs/..0.partial.lock"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if reached():
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
                time.sleep(0.1)
                os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)
                return
        time.sleep(0.01)
    raise AssertionError("the job never came so far")
