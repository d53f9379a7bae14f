"""Machines that are not ours: data that nobody may write, clocks that disagree, file systems that lag."""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import harness
import small_pack
from slurm_stub import QUICK
from test_slurm_submission import submit, with_stub

TARGETS = ("results/meshes/pack/0.json", "results/truth/pack/0.json")
CONFIG = {"device": "cpu", "datasets": {"pack": {"kind": "folder", "root": "pack"}}}


@contextlib.contextmanager
def read_only(folder: Path):
    """Make a folder read-only; yield the words before commands that must keep to that, root's too."""
    launcher = harness.WITHOUT_OVERRIDE if os.geteuid() == 0 else ()
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in reversed(paths):
        path.chmod(modes[path] & ~0o222)
    try:
        for command in (["touch", folder / "mine.txt"], ["sh", "-c", ": >> items.csv"]):
            words = [*launcher, *map(str, command)]
            refused = subprocess.run(
                words, cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
            )
            assert refused.returncode != 0 and "ermission denied" in refused.stderr, refused
        yield launcher
    finally:
        for path in paths:
            path.chmod(modes[path])


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return {path: (size, time of change, inode)}: what an overwritten or touched file would change."""
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return {str(path): (s.st_size, s.st_mtime_ns, s.st_ino) for path, s in found}


def test_source_data_is_only_read_and_its_clock_may_be_wrong(tmp_path, repository, server):
    """Read-only data with a file from the future: one clear line, and a touch of that file mends it."""
    work = harness.Work(tmp_path / "work", repository, {}, server)
    pack = small_pack.write_pack(work.folder / "pack")
    work.write_config(CONFIG)
    before = stamps(pack)
    with read_only(pack) as launcher:
        dataclasses.replace(work, launcher=launcher).run(*TARGETS)
    assert stamps(pack) == before
    assert work.plan(*TARGETS).outputs == frozenset()

    # a clock that was ahead when the file was written: the same bytes plan nothing
    tomorrow = time.time() + 86_400
    os.utime(pack / "a.obj", (tomorrow, tomorrow))
    assert work.plan(*TARGETS).outputs == frozenset()
    # other bytes are computed, and Snakemake says that the clocks disagree
    text = (pack / "a.obj").read_text()
    (pack / "a.obj").write_text(text + "# mended\n")
    os.utime(pack / "a.obj", (tomorrow, tomorrow))
    skewed = work.run(*TARGETS, succeeds=False)
    assert "clock skew" in skewed.text
    assert "a.obj" in skewed.text
    os.utime(pack / "a.obj")
    work.run(*TARGETS)
    assert work.plan(*TARGETS).outputs == frozenset()


def test_outputs_that_show_late_are_waited_for(tmp_path, repository, environment):
    """The submit host sees results of a node seconds after the job's end, as on NFS."""
    config = {"device": "cpu", "datasets": {"few": {"kind": "procedural", "count": 1, "seed": 3}}}
    target = "results/meshes/few/0.json"
    done = harness.Work(tmp_path / "done", repository, dict(environment))
    done.write_config(config)
    done.run(target)

    cluster = with_stub(repository, environment, tmp_path)
    cluster.write_config(config)
    wildcards = {"chunk": "0", "dataset": "few"}
    names = ("results/costs/meshes/few/0.tsv", "results/meshes/few/0.zarr", target)
    (cluster.slurm / "outputs.json").write_text(json.dumps({"meshes": [[wildcards, names]]}))
    (cluster.slurm / "prepared").symlink_to(done.folder)
    (cluster.slurm / "late").write_text("9")
    # with less patience than the profile's the same submission fails
    hasty, _ = submit(cluster, target, "--retries", "0", quick=(*QUICK[:2], "--latency-wait", "1"))
    assert hasty.code == 1, hasty.text
    assert "files after 1 second" in hasty.text
    time.sleep(10)
    shutil.rmtree(cluster.results, ignore_errors=True)
    patient, calls = submit(cluster, target, "--retries", "0", quick=QUICK[:2])
    assert patient.code == 0, patient.text
    assert len(calls) == 2
    assert cluster.contents() == done.contents()
