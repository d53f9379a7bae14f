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

import harness
import pytest
import small
import small_pack
from part_writers import PATIENCE, advance, alive, catch, send

# Scores of two methods: all stages, two jobs or more of each
TARGETS = ("results/keypoints/corners/states.json", "results/keypoints/corners/guided.json")
# Where the stages keep their part folders and locks
STAGES = {
    "meshes": "meshes/pack",
    "truth": "truth/pack",
    "renders": "renders/views/pack",
    "masks": "masks/outline/pack",
    "voxels": "voxels/*/pack",
    "latents": "latents/*/pack",
    "features": "features/*/pack",
    "matches": "matches/*/corners/aligned",
}


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
    small_pack.write_pack(found.folder / "pack")
    found.write_config(small.CONFIG)
    # fetched beforehand: what is tested is the work on chunks
    found.run("results/assets/trellis_ss_enc.json", "results/assets/dinov2_vits14.json")
    return found


class Killer:
    """Watches a running Snakemake and stops it at a moment of a stage."""

    def __init__(self, work, dice):
        self.work, self.dice = work, dice
        self.log = []

    def catch(self, stages, snakemake):
        """Wait for a part folder of one of the stages and stop its writer: (stage, folder, pid)."""
        names = {STAGES[stage]: stage for stage in stages}

        def said():
            text = "" if snakemake.is_running() else snakemake.end().text[-3000:]
            return f"{self.log}\n{text}"

        found = catch(self.work.results, list(names), snakemake.is_running, said)
        return names[found[0]], *found[1:]

    def advance(self, folder, pid):
        """Let a stopped job go on to a drawn number of finished items; whether it still writes."""
        return advance(folder, pid, self.dice.randrange(4))


def same_as(work, prepared):
    """Check contents against the uninterrupted run, stores against manifests; no leftovers."""
    found, expected = work.contents(), prepared.contents()
    assert {k: v for k, v in found.items() if expected.get(k) != v} == {}
    needed = work.plan(*TARGETS)
    assert needed.outputs == frozenset(), needed.text[-3000:]
    assert not list(work.results.rglob("*.part-*"))
    assert harness.verified_stores(work.results) > 20
    return found


def test_every_stage_and_snakemake_itself_killed(work, prepared, dice):
    """One kill in every per-chunk stage: of the job, of Snakemake alone, or of everything at once."""
    kinds = ["job"] * 5 + ["snakemake"] * 2 + ["everything"]
    dice.shuffle(kinds)
    kind_of = dict(zip(STAGES, kinds, strict=True))
    killer, while_writing = Killer(work, dice), 0
    process = work.start("--retries", "2", *TARGETS)
    waiting = list(STAGES)
    while waiting:
        stage, folder, pid = killer.catch(waiting, process)
        while_writing += killer.advance(folder, pid)
        waiting.remove(stage)
        killer.log.append((stage, kind_of[stage], folder.name))
        if kind_of[stage] == "job":
            send(pid, signal.SIGKILL)
            continue
        if kind_of[stage] == "everything":  # the machine goes down
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        send(pid, signal.SIGCONT)
        work.run("--unlock")
        process = work.start("--retries", "2", *TARGETS)
    run = process.end()
    sys.stdout.write(f"{killer.log}\n")
    assert run.code == 0, run.text
    assert while_writing >= 3
    logs = "".join(path.read_text() for path in (work.results / "logs").rglob("*.log"))
    assert "resuming:" in logs
    same_as(work, prepared)


def test_snakemake_killed_at_any_time(work, prepared, dice):
    """Twice, at moments that no part folder chooses; then the same command."""
    target = "results/features/lifted/pack/0.json"
    for _ in range(2):
        process = work.start(target)
        deadline = time.monotonic() + dice.uniform(1, 8)
        while time.monotonic() < deadline and process.is_running():
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.end()
        work.run("--unlock")
    work.run(target)
    found = work.contents()
    assert {k: v for k, v in found.items() if prepared.contents().get(k) != v} == {}
    assert work.plan(target).outputs == frozenset()


@pytest.mark.parametrize("changed", [False, True], ids=["same configuration", "another one"])
def test_an_orphan_lives_on_and_the_second_writer_waits_for_it(changed, work, prepared, dice):
    """Snakemake killed, its child not: the next run's job waits, names the child's pid, and is right."""
    target = "results/voxels/s16/pack/0.json"
    work.run("results/meshes/pack/0.json")
    killer = Killer(work, dice)
    first = work.start(target)
    _, folder, pid = killer.catch(["voxels"], first)
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
    send(pid, signal.SIGCONT)
    run = second.end()
    assert run.code == 0, run.text
    assert not list(work.results.rglob("*.part-*"))
    content = harness.manifest_content(work.folder / target)
    same = content == harness.manifest_content(prepared.folder / target)
    assert same != changed
    assert harness.verified_stores(work.results) == 6
    assert work.plan(target).outputs == frozenset()
