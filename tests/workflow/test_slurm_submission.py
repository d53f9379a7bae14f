"""`snakemake --profile slurm` as it is written, in the root of a checkout, with a stub in place of Slurm."""

import json
import shutil
import subprocess
import sys

import harness
import pytest
import slurm_stub
import small
import small_pack
from slurm_stub import QUICK

GPU_RULES = {"latents", "feature", "train", "train_autoencoder"}
# of rules whose other kinds run no network
GPU_KINDS = {("mask", "segmented"), ("depth", "guessed")}
THREADS = {"feature": "3"}  # given on the command line; every rule says 1
# of every floor one: their second attempt gets twice as much
FAIL_ONCE = {"meshes", "feature", "score_chart", "part_sheets"}


@pytest.fixture
def cluster(repository, environment, tmp_path):
    return with_stub(repository, environment, tmp_path)


def with_stub(repository, environment, tmp_path):
    """Return a checkout of its own, with meshes, in which the profile is named as users do."""
    root = tmp_path / "checkout"
    shutil.copytree(repository, root, symlinks=True)
    work = harness.Work(root, root, dict(environment))
    small_pack.write_pack(root / "pack")
    work.environment |= slurm_stub.install(tmp_path)
    work.slurm = tmp_path / "slurm"
    return work


def submit(work, *arguments, quick=QUICK):
    """Run the command as it is written, from the checkout's root; return (run, calls of sbatch)."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *quick]
    process = subprocess.run(
        command,
        cwd=work.folder,
        env=work.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    calls = slurm_stub.calls(work.slurm.parent)
    assert calls, process.stdout
    return harness.Run(process.returncode, process.stdout), calls


def option(call, *names):
    """Return the value of an option of a call of sbatch: `-p gpu`, `--gpus=1`; None without it."""
    for n, argument in enumerate(call["arguments"]):
        for name in names:
            if argument == name:
                return call["arguments"][n + 1]
            if argument.startswith(f"{name}="):
                return argument.split("=", 1)[1]
    return None


def pretend(work, prepared, config):
    """Let the stub copy results of the prepared run instead of computing them."""
    work.write_config(config)
    plan = harness.Work(work.folder, work.repository, work.environment, prepared.server).plan(
        *small.TARGETS
    )
    assert plan.code == 0, plan.text
    (work.slurm / "outputs.json").write_text(json.dumps(slurm_stub.outputs_of(plan)))
    (work.slurm / "prepared").symlink_to(prepared.folder)
    return plan


def test_submitted_lines(cluster, prepared):
    plan = pretend(cluster, prepared, small.config(device="auto"))
    (cluster.slurm / "fail_first").write_text(" ".join(FAIL_ONCE))
    threads = (f"{rule}={number}" for rule, number in THREADS.items())
    run, calls = submit(cluster, *small.TARGETS, "--set-threads", *threads)
    assert run.code == 0, run.text
    rules = {job["rule"] for job in plan.jobs if job["outputs"]}
    local = {"table", "cost_chart", "index", "training_chart"}
    assert {call["rule"] for call in calls} == rules - local
    assert {"meshes", "truth", "render", "voxels", "match", "score", "fetch_asset"} <= rules
    assert GPU_RULES <= rules
    for call in calls:
        gpu = call["rule"] in GPU_RULES or call["wildcards"].items() & GPU_KINDS
        assert option(call, "--gpus", "--gres") == ("1" if gpu else None), call
        assert option(call, "-p", "--partition") == ("gpu" if gpu else "cpu"), call
        assert option(call, "--cpus-per-task") == THREADS.get(call["rule"], "1"), call
        assert option(call, "-A", "--account") is None
        assert int(option(call, "--mem")) >= 600
        assert "--requeue" in call["arguments"]
    assert [job for job in plan.jobs if job["rule"] == "train"]
    _check_second_attempts(calls)


def _check_second_attempts(calls):
    attempts = {}
    for call in calls:
        if call["rule"] in FAIL_ONCE:
            job = (call["rule"], *call["wildcards"].items())
            attempts.setdefault(job, []).append(call)
    assert {job[0] for job in attempts} == FAIL_ONCE
    for first, second in attempts.values():
        assert int(option(second, "--mem")) == 2 * int(option(first, "--mem"))
        assert int(option(second, "-t")) == 2 * int(option(first, "-t"))
        assert option(second, "-p") == option(first, "-p")


def test_without_a_gpu_in_the_configuration_nothing_asks_for_one(cluster, prepared):
    pretend(cluster, prepared, small.config(device="cpu"))
    run, calls = submit(cluster, "results/features/lifted/pack/0.json")
    assert run.code == 0, run.text
    assert {call["rule"] for call in calls} == {"meshes", "render", "fetch_asset", "feature"}
    for call in calls:
        assert option(call, "--gpus", "--gres") is None
        assert option(call, "-p") == "cpu"


def test_rendering_with_blender_goes_to_a_gpu(cluster, prepared):
    config = small.config(device="auto", renders__views__backend="blender")
    pretend(cluster, prepared, config)
    run, calls = submit(cluster, "results/renders/views/pack/0.json")
    assert run.code == 0, run.text
    found = {call["rule"]: call for call in calls}
    assert option(found["render"], "--gpus", "--gres") == "1"
    assert option(found["render"], "-p") == "gpu"
    assert option(found["meshes"], "-p") == "cpu"


def test_submitted_commands_run_and_a_failed_one_is_retried(cluster, prepared):
    """The real command inside the stub's allocation; the store equals that of a run without Slurm."""
    cluster.write_config(small.CONFIG)
    (cluster.slurm / "fail_first").write_text("meshes")
    target = "results/voxels/s16/pack/1.json"
    run, calls = submit(cluster, target)
    assert run.code == 0, run.text
    assert [call["rule"] for call in calls] == ["meshes", "meshes", "voxels"]
    made = harness.manifest_content(cluster.folder / target)
    assert made == harness.manifest_content(prepared.folder / target)
    plan = harness.Work(cluster.folder, cluster.folder, cluster.environment, prepared.server)
    assert plan.plan(target).outputs == frozenset()
