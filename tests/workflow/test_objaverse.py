"""A synthetic Objaverse through the real Snakefile: lists, downloads, a table; troubles, kills, changes."""

import contextlib
import csv
import json
import os
import signal
import time
from dataclasses import replace

import harness
import numpy as np
import pytest
import small
from objaverse_site import Trouble, glb, uid_of
from PIL import Image

from semcorr.stages.objaverse_list import command_line

CHUNKS = 2
CATEGORY = "chair"


# Views and a tiny image network from the mirror, and a method on its features
IMAGES = {
    "renders": {"views": small.CONFIG["renders"]["views"]},
    "features": {"lifted": small.CONFIG["features"]["lifted"]},
    "methods": {
        "spatial": {"matcher": "spatial"},
        "nearest": {"matcher": "nearest", "feature": "lifted"},
    },
}


@pytest.fixture
def work(site, repository, server, tmp_path):
    """An empty work folder whose hub is the site."""
    folder = tmp_path / "work"
    folder.mkdir()
    return harness.Work(folder, repository, {"HF_ENDPOINT": site.endpoint}, server)


@pytest.fixture
def work_with_weights(work, environment):
    """The same, where weights come from a mirror, which has none of the site's objects."""
    return replace(work, environment=work.environment | environment)


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


def set_sha256(work, uid, sha256):
    """Say in the list, which is the user's to edit, what the file of an object must be."""
    path = work.folder / "chairs.csv"
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "sha256"])
        writer.writeheader()
        writer.writerows(row | ({"sha256": sha256} if row["id"] == uid else {}) for row in rows)


def statuses(work, section):
    """Return {id: status} over all chunks of a stage, or of one of its variants."""
    folder = work.results / section / "chairs"
    rows = [i for path in folder.glob("?.json") for i in json.loads(path.read_text())["items"]]
    return {row["id"]: row["status"] for row in rows}


def chunk_files(section, chunk):
    return {f"results/{section}/chairs/{chunk}{suffix}" for suffix in (".json", ".zarr")}


def test_from_the_command_to_the_table(site, work_with_weights):
    """Objects corrupt, missing, modified, slow, refused at first: rows, features, a table; never a crash."""
    work = work_with_weights
    for number in range(6):
        site.add(number, licence=("by", "cc0", "by-sa")[number % 3], folder=f"000-00{number % 2}")
    site.troubles[site.paths[uid_of(2)]] = Trouble(statuses=[503, 503])
    site.troubles[site.paths[uid_of(3)]] = Trouble(seconds_per_block=0.2, drop_after=[300])
    _, cut = site.add(6, glb(padding=400)[:-300])
    site.add(7, b"")
    site.add(8, glb((0, 0, 0)))
    site.add(9, licence="by-nc")
    _, other = site.add(10)
    site.annotate()
    write_list(work, "--licences", "by,by-sa,cc0")
    set_sha256(work, uid_of(10), "0" * 64)
    images = config() | IMAGES
    images["coseg"]["seats"]["methods"] = ["spatial", "nearest"]
    work.write_config(images)
    work.run("results/coseg/seats.json", "downloads")

    good = {uid_of(n) for n in range(6)}
    bad = {uid_of(6): "failed", uid_of(7): "missing", uid_of(10): "modified"}
    assert statuses(work, "raw") == dict.fromkeys(good, "ok") | bad | {uid_of(8): "ok"}
    down = dict.fromkeys(bad, "upstream_failed")
    assert statuses(work, "meshes") == dict.fromkeys(good, "ok") | down | {uid_of(8): "failed"}
    everything_else = dict.fromkeys([*bad, uid_of(8)], "upstream_failed")
    for section in ("renders/views", "features/lifted"):
        assert statuses(work, section) == dict.fromkeys(good, "ok") | everything_else, section
    rows = [
        r
        for p in (work.results / "raw/chairs").glob("?.json")
        for r in json.loads(p.read_text())["items"]
    ]
    (reason,) = [row["reason"] for row in rows if row["status"] == "modified"]
    assert "000000000000" in reason
    methods = json.loads((work.results / "coseg/seats.json").read_text())["methods"]
    assert methods.keys() == {"spatial", "nearest"}
    for name in methods:
        # of the objects with labels one is the source
        (row,) = methods[name]["aligned"]["targets"]
        assert (row["source"], row["target"]) == (uid_of(0), uid_of(1))
        matches = statuses_of_matches(work, name)
        assert {t for t, status in matches.items() if status == "ok"} == good - {uid_of(0)}
    assert site.asked(site.paths[uid_of(3)]) == [None, "bytes=300-"]
    assert len(site.asked(cut)) == 2
    assert len(site.asked(other)) <= 2
    assert harness.verified_stores(work.results) >= 5 * len(good)
    files = [p for p in (work.results / "raw/chairs/0.zarr").rglob("*") if p.is_file()]
    assert len(files) <= 60
    assert work.plan("results/coseg/seats.json", "downloads").outputs == frozenset()

    # the index says why, per object; failed rows alone are fetched again, good ones are taken over.
    # Meanwhile the source alone has labels: no pair is counted, and the run ends well, with pictures
    site.files[site.paths[uid_of(7)]] = glb()
    asked = len(site.asked(site.paths[uid_of(0)]))
    (work.folder / f"mine/labels/{uid_of(1)}.json").unlink()
    work.run("retry_failed")
    pictures = [f"results/figures/coseg/seats/aligned_{name}.png" for name in ("parts", "maps")]
    work.run("results/coseg/seats.json", "results/figures/coseg/seats/scores.png", *pictures)
    assert statuses(work, "raw")[uid_of(7)] == statuses(work, "meshes")[uid_of(7)] == "ok"
    assert statuses(work, "features/lifted")[uid_of(7)] == "ok"
    assert statuses(work, "raw")[uid_of(10)] == "modified"
    assert len(site.asked(site.paths[uid_of(0)])) == asked
    for name, poses in json.loads((work.results / "coseg/seats.json").read_text())[
        "methods"
    ].items():
        summary = poses["aligned"]
        assert (summary["mean_iou"], summary["coverage"], summary["targets"]) == (None, 0.0, []), (
            name
        )
        assert "targets have no labels" in summary["reason"]
    for path in pictures:
        assert colourful(work.folder / path) > 5000, path


def statuses_of_matches(work, method):
    """Return {target: status} of the maps from the one source."""
    folder = work.results / f"matches/{method}/seats/aligned"
    rows = [r for p in folder.glob("?.json") for r in json.loads(p.read_text())["items"]]
    return {row["id"].split(" <- ")[0]: row["status"] for row in rows}


def colourful(path):
    """Number of pixels of a picture that are not grey."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.ptp(picture, axis=2) > 20).sum())


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
