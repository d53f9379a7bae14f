"""Real jobs on a real Slurm: stopped in the middle of a chunk, they go on behind what they had finished."""

import signal

import harness
import pytest
from cluster_runs import PREPARED, as_expected, succeeds, wait_until
from part_writers import advance, catch, send

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
PHOTOS = "results/renders/photos/chairs/0.json"
LATENTS = "results/latents/tiny/chairs/0.json"
FEATURES = "results/features/lifted/chairs/0.json"
MODEL = "results/models/vae/model.json"


@pytest.fixture(scope="module")
def expected(checkout):
    """Contents of a run without Slurm."""
    local = checkout()
    local.run(PHOTOS, LATENTS, FEATURES, MODEL)
    return local.contents()


def stop_behind_the_first_item(work, process, folder):
    """Catch the job that writes a chunk of a folder of results, and stop it once an item is finished."""
    _, part, pid = catch(
        work.results, [folder], process.is_running, lambda: process.output.read_text()[-3000:]
    )
    assert advance(part, pid, wanted=1), "the job was through before it could be stopped"
    return pid


def test_jobs_stopped_in_the_middle_go_on_behind_what_they_had_finished(slurm, checkout, expected):
    """Three ways: put back into the queue by Slurm, cancelled by somebody, and killed on its node."""
    work = checkout(slurm)
    process = work.submit(LATENTS, FEATURES)

    stop_behind_the_first_item(work, process, "renders/views/chairs")
    requeued = work.job_of(process, "render")[0]["JobId"]
    slurm.tell("scontrol", "requeue", requeued)

    stop_behind_the_first_item(work, process, "latents/tiny/chairs")
    slurm.tell("scancel", work.job_of(process, "latents")[0]["JobId"])

    send(stop_behind_the_first_item(work, process, "features/lifted/chairs"), signal.SIGKILL)

    run = succeeds(process.end())
    (render,) = work.job_of(run, "render")
    assert (render["JobId"], render["Restarts"]) == (requeued, "1")
    states = {
        rule: [job["JobState"] for job in work.job_of(run, rule)]
        for rule in ("render", "latents", "feature")
    }
    assert states == {
        "render": ["COMPLETED"],
        "latents": ["CANCELLED", "COMPLETED"],
        "feature": ["FAILED", "COMPLETED"],
    }
    for name in ("renders/views", "latents/tiny", "features/lifted"):
        assert "resuming: " in (work.results / f"logs/{name}/chairs/0.log").read_text(), name
    assert not list(work.results.rglob("*.part-*"))
    found = work.contents()
    assert found.items() <= expected.items() and LATENTS.removeprefix("results/") in found
    assert harness.verified_stores(work.results) > 8


def test_training_and_views_of_blender_get_the_gpu(slurm, checkout, expected):
    work = checkout(slurm)
    run = succeeds(work.submit(PHOTOS, MODEL).end())
    jobs = {job["rule"]: job for job in work.jobs_of(run)}
    assert jobs.keys() == {"meshes", "render", "train_autoencoder"}
    for rule, job in jobs.items():
        is_gpu = rule != "meshes"
        assert job["Partition"] == ("gpu" if is_gpu else "cpu"), job
        assert job.get("TresPerJob") == ("gres:gpu:1" if is_gpu else None), job
    found = work.contents()
    assert found.items() <= expected.items()
    assert {PHOTOS.removeprefix("results/"), MODEL.removeprefix("results/")} <= found.keys()


def test_a_job_that_never_succeeds(work, expected_toy):
    """The rest goes on, the exit code is 1, and every attempt's log is kept and shown."""
    work.ask("prepare-s0", allocate_mb=3000, sleep=5)
    run = work.submit("results/features/s0.txt", PREPARED[1]).end()
    assert run.code == 1
    attempts = work.job_of(run, "prepare", "s0")
    assert [job["MinMemoryNode"] for job in attempts] == ["800M", "1600M", "2400M"]
    assert all(job["JobState"] != "COMPLETED" for job in attempts)
    assert work.job_of(run, "network") == []
    assert run.text.count("exceeded memory limit") >= 3
    logs = {path.stem for path in work.folder.glob(".snakemake/slurm_logs/rule_prepare/**/*.log")}
    assert logs == {job["JobId"] for job in attempts}
    as_expected(work, expected_toy, PREPARED[1])

    work.ask("prepare-s0")
    again = succeeds(work.submit(PREPARED[0], PREPARED[1]).end())
    assert [job["rule"] for job in work.jobs_of(again)] == ["prepare"]
    as_expected(work, expected_toy, *PREPARED[:2])


def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(work, expected_toy):
    work.hold("prepare-s0", "prepare-s1")
    process = work.submit(*PREPARED[:2])
    for name in ("prepare-s0", "prepare-s1"):
        work.wait_for(name)
    process.popen.send_signal(signal.SIGINT)
    assert process.end().code != 0
    wait_until(
        lambda: {job["JobState"] for job in work.jobs_of(process)} == {"CANCELLED"},
        "jobs outlive an interrupted Snakemake",
    )
    work.let_go("prepare-s0", "prepare-s1")
    run = succeeds(work.submit(*PREPARED[:2]).end())  # nothing to unlock
    assert [job["JobState"] for job in work.jobs_of(run)] == ["COMPLETED"] * 2
    as_expected(work, expected_toy, *PREPARED[:2])
