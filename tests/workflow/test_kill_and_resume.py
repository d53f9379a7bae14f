"""SIGKILL of jobs and of Snakemake itself, at moments drawn over the whole run; then the same command again.

Nothing in the package slows down for these tests: a job is caught by watching for its part folder, stopped
(SIGSTOP), let on to a drawn moment in short slices, and killed there. What comes out must have the contents
of the prepared run, which nobody interrupted. The seed of the moments is printed; SEMCORR_TEST_SEED
repeats it.
"""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import harness
import pytest
import small

TARGET = "results/keypoints/corners.json"
STAGES = ("meshes", "truth", "renders", "voxels", "latents", "features", "matches")
SLICE = 0.003
PATIENCE = 240


@pytest.fixture
def dice():
    """Random numbers of one test; its seed is in the output of a failure."""
    seed = int(os.environ.get("SEMCORR_TEST_SEED") or random.SystemRandom().randrange(10**6))
    sys.stdout.write(f"SEMCORR_TEST_SEED={seed}\n")
    return random.Random(seed)


@pytest.fixture
def work(prepared, tmp_path):
    """An empty work folder with the small configuration."""
    found = harness.Work(
        tmp_path / "work", prepared.repository, dict(prepared.environment), prepared.server
    )
    small.write_pack(found.folder / "pack")
    found.write_config(small.CONFIG)
    # fetched beforehand: what is tested is the work on chunks
    found.run("results/assets/trellis_ss_enc.json", "results/assets/dinov2_vits14.json")
    return found


class Killer:
    """Watches a running Snakemake and kills at a moment of a stage."""

    def __init__(self, work, dice):
        self.work, self.dice = work, dice
        self.log = []

    def parts(self, stage):
        """Return part folders of a stage that a process writes to: [(folder, pid)]."""
        found = []
        root = self.work.results / stage
        for folder in root.glob("**/*.part-*") if root.is_dir() else ():
            with contextlib.suppress(OSError, ValueError, IndexError):
                lock = folder.with_name(f".{folder.name}.lock")
                pid = int(lock.read_text().split()[0])
                if alive(pid):
                    found.append((folder, pid))
        return found

    def catch(self, stage, snakemake):
        """Wait for a part folder of a stage and stop its writer; None when Snakemake ended first."""
        deadline = time.monotonic() + PATIENCE
        while snakemake.is_running():
            assert time.monotonic() < deadline, f"no job of {stage} in {PATIENCE} s: {self.log}"
            for folder, pid in self.parts(stage):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    wait_until_stopped(pid)
                    if folder.is_dir() and alive(pid):
                        return folder, pid
            time.sleep(0.0005)
        return None

    def advance(self, folder, pid):
        """Let a stopped job go on, in slices, to a drawn number of finished items or into packing."""
        wanted = self.dice.randrange(4)
        while alive(pid) and folder.is_dir():
            finished = len(list(folder.glob("*.npz"))) + len(list(folder.glob("*.json")))
            if finished >= wanted or (folder / "packed.zarr").exists():
                return finished
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                time.sleep(SLICE)
                os.kill(pid, signal.SIGSTOP)
                wait_until_stopped(pid)
        return None

    def kill_job(self, stage, snakemake):
        """Kill one job of a stage while its part folder exists; True when that happened."""
        caught = self.catch(stage, snakemake)
        if caught is None:
            return False
        folder, pid = caught
        finished = self.advance(folder, pid)
        there = folder.is_dir()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.log.append((stage, folder.name, finished, there))
        return there and finished is not None


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until_stopped(pid):
    """Return once a process that got SIGSTOP no longer runs."""
    for _ in range(2000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZX":
                return
        except OSError:
            return
        time.sleep(0.0005)


def descendants(pid):
    """Return the processes below one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(path.parent.name)
                found += [child, *descendants(child)]
    return found


def same_as(work, prepared):
    """Check contents against the uninterrupted run, stores against manifests; no leftovers."""
    found, expected = work.contents(), prepared.contents()
    assert {k: v for k, v in found.items() if expected.get(k) != v} == {}
    needed = work.plan(TARGET)
    assert needed.outputs == frozenset(), needed.text[-3000:]
    assert not list(work.results.rglob("*.part-*"))
    assert harness.verified_stores(work.results) > 20
    return found


def test_every_stage_and_snakemake_itself_killed(work, prepared, dice):
    killer = Killer(work, dice)
    killed_parts = 0
    order = list(STAGES)
    with_snakemake = set(dice.sample(order, 2))
    for stage in with_snakemake:
        killed_parts += kill_snakemake_in(stage, work, killer)
    at_any_time(work, dice)
    process = work.start("--retries", "2", TARGET)
    for stage in STAGES:
        happened = killer.kill_job(stage, process)
        assert happened, f"no job of {stage} was caught: {killer.log}\n{process.end().text[-3000:]}"
        killed_parts += 1
    run = process.end()
    assert run.code == 0, run.text
    sys.stdout.write(f"{killer.log}\n")
    assert killed_parts >= 3
    assert "resuming:" in "".join(p.read_text() for p in (work.results / "logs").rglob("*.log"))
    same_as(work, prepared)


def kill_snakemake_in(stage, work, killer):
    """SIGKILL Snakemake while a job of the stage works; its children live on. Then unlock."""
    process = work.start(TARGET)
    caught = killer.catch(stage, process)
    if caught is None:  # all chunks of the stage were done already
        assert process.end().code == 0
        return 0
    folder, pid = caught
    killer.advance(folder, pid)
    there = folder.is_dir()
    process.kill()
    os.kill(pid, signal.SIGCONT)
    work.run("--unlock")
    return int(there)


def at_any_time(work, dice):
    """SIGKILL Snakemake and all its jobs at once (a machine that goes down) some time after the start."""
    process = work.start(TARGET)
    wait = dice.uniform(2, 12)
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and process.is_running():
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.end()
    work.run("--unlock")


@pytest.mark.parametrize("changed", [False, True], ids=["same configuration", "another one"])
def test_an_orphan_lives_on_and_the_second_writer_waits_for_it(changed, work, prepared, dice):
    """Snakemake killed, its child not: the next run's job waits, names the child's pid, and is right."""
    target = "results/voxels/s16/pack/0.json"
    work.run("results/meshes/pack/0.json")
    killer = Killer(work, dice)
    first = work.start(target)
    folder, pid = killer.catch("voxels", first)
    first.kill()
    locked = work.run(target, succeeds=False)
    assert "--unlock" in locked.text
    work.run("--unlock")
    if changed:
        work.write_config(small.config(voxels__s16__resolution=20))
    second = work.start(target)
    log = work.results / "logs/voxels/s16/pack/0.log"
    deadline = time.monotonic() + PATIENCE
    while f"is being written by process {pid}" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline, "the second writer never said that it waits"
        assert second.is_running(), second.end().text
        time.sleep(0.05)
    assert folder.is_dir()
    assert alive(pid)
    os.kill(pid, signal.SIGCONT)
    run = second.end()
    assert run.code == 0, run.text
    assert not list(work.results.rglob("*.part-*"))
    content = harness.manifest_content(work.folder / target)
    same = content == harness.manifest_content(prepared.folder / target)
    assert same != changed
    assert harness.verified_stores(work.results) == 6
    assert work.plan(target).outputs == frozenset()
