"""What Snakemake makes of the profiles, each with `profiles/default` beside it, and what it refuses."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from types import SimpleNamespace

import harness
import pytest
import slurm_stub
import small
import small_pack
import yaml

SLURM = harness.ROOT / "profiles/slurm"

RESOLVED = """
import json, sys
import snakemake.cli

_, found = snakemake.cli.parse_args(sys.argv[1:])
names = "executor retries jobs cores resources keep_going latency_wait max_jobs_per_timespan"
names += " rerun_triggers rerun_incomplete max_checksum_file_size show_failed_logs"
names = names.split() + [name for name in vars(found) if name.startswith("slurm_")]
answer = {name: str(getattr(found, name, None)) for name in names}
defaults = found.default_resources
answer["default_resources"] = {k: str(v.raw) for k, v in defaults.items()} if defaults else {}
print(json.dumps(answer))
"""
UNSET = "MISSING"  # what the parser holds for an option of the executor that nobody gave


def resolved(root, *arguments):
    """Return what Snakemake's own parser makes of a command line in a folder."""
    text = subprocess.run(
        [sys.executable, "-c", RESOLVED, *arguments],
        cwd=root,
        env=os.environ | {"HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(text.splitlines()[-1])


def test_what_the_profiles_resolve_to():
    slurm = resolved(harness.ROOT, "--profile", "slurm", "results/coseg/chair.json")
    assert slurm["executor"] == "slurm"
    assert slurm["retries"] == "2"
    assert slurm["jobs"] == "100"
    assert slurm["cores"] == "None"
    assert slurm["resources"] in ("{}", "None")
    assert slurm["keep_going"] == "True"
    assert slurm["latency_wait"] == "60"
    assert slurm["default_resources"].items() >= {"mem_mb": "2000", "runtime": "60"}.items()
    executor = {key: value for key, value in slurm.items() if key.startswith("slurm_")}
    assert {key: value for key, value in executor.items() if UNSET not in value} == {
        "slurm_partition_config": "slurm/partitions.yaml",
        "slurm_status_command": "squeue",
        "slurm_no_account": "True",
        "slurm_requeue": "True",
        "slurm_init_seconds_before_status_checks": "20",
        "slurm_jobname_prefix": "semcorr",
        "slurm_logdir": ".snakemake/slurm_logs",
        "slurm_delete_logfiles_older_than": "30",
    }
    plain = resolved(harness.ROOT, "-c", "all")
    gpu = resolved(harness.ROOT, "--profile", "profiles/gpu")
    assert gpu["cores"] != "None"
    assert "gpu" in gpu["resources"]
    assert plain["executor"] in ("None", "local")
    assert plain["retries"] in ("0", "None")
    assert plain["resources"] in ("{}", "None")
    for found in (slurm, plain, gpu):
        triggers = found["rerun_triggers"].lower()
        for name in ("mtime", "params", "input", "software"):
            assert name in triggers
        assert "code" not in triggers
        assert found["rerun_incomplete"] == "True"
        assert int(found["max_checksum_file_size"]) == 256 * 1000**2, found
        assert found["show_failed_logs"] == "True"


def test_the_default_profile_holds_only_the_rerun_contract():
    root = harness.ROOT / "profiles"
    default = yaml.safe_load((root / "default/profile.yaml").read_text())
    contract = {"rerun-triggers", "rerun-incomplete", "max-checksum-file-size"}
    assert set(default) == contract | {"show-failed-logs"}
    for path in root.glob("*/profile.yaml"):
        profile = yaml.safe_load(path.read_text())
        assert {key: profile[key] for key in contract} == {key: default[key] for key in contract}
    assert (harness.ROOT / "slurm").resolve() == (root / "slurm").resolve()


def commented(path):
    """Return what the lines of a YAML file say that are keys behind a `# `."""
    lines = re.findall(r"^# ((?:  )*[a-z][a-z0-9_-]*:(?: .*)?)$", path.read_text(), re.M)
    return yaml.safe_load("\n".join(lines))


def test_the_example_of_partitions(tmp_path):
    """The executor's own choice for jobs as the rules describe them, at every attempt."""
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    path = tmp_path / "partitions.yaml"
    path.write_text(yaml.safe_dump(commented(SLURM / "partitions.yaml"), sort_keys=False))
    example = read_partition_file(path)
    assert [partition.name for partition in example] == ["short", "long", "a100"]
    quiet = SimpleNamespace(debug=str, info=str, warning=pytest.fail)
    shipped = read_partition_file(SLURM / "partitions.yaml")

    def chosen(partitions, minutes, mem_mb, **more):
        resources = {"runtime": minutes, "mem_mb": mem_mb, **more}
        job = SimpleNamespace(name="job", threads=1, resources=resources)
        return get_best_partition(partitions, job, quiet)

    for attempt in (1, 2, 3):
        assert chosen(example, 30 * attempt, 2000 * attempt) == "short"
        assert chosen(example, 240 * attempt, 8000 * attempt, gpu=1) == "a100"
        assert chosen(shipped, 30 * attempt, 2000 * attempt) == "cpu"
        assert chosen(shipped, 240 * attempt, 8000 * attempt, gpu=1) == "gpu"
    assert chosen(example, 360, 4000) == "long"


@pytest.fixture
def checkout(repository, environment, tmp_path):
    """A checkout in which a stub of sbatch would note every submission."""
    root = tmp_path / "checkout"
    shutil.copytree(repository, root, symlinks=True)
    work = harness.Work(root, root, environment | slurm_stub.install(tmp_path))
    work.write_config(small.config(device="auto", renders__views__backend="blender"))
    small_pack.write_pack(root / "pack")
    return work


ARRAYS = commented(SLURM / "profile.yaml")
LARGE = ("--jobs", str(ARRAYS["jobs"]), "--max-jobs-per-timespan", ARRAYS["max-jobs-per-timespan"])
VIEWS = ("results/renders/views/pack/0.json", "results/renders/placed/pack/0.json")
MESHES = ("results/meshes/pack/0.json", "results/meshes/pack/1.json")


@pytest.mark.parametrize(
    ("rules", "options", "targets", "says"),
    [
        (
            "meshes",
            ("--jobs", "1", *LARGE[2:]),
            MESHES,
            "2 jobs are planned, --jobs lets 1 through",
        ),
        ("all", (*LARGE[:2], "--max-jobs-per-timespan", "1/1s"), MESHES, "--max-jobs-per-timespan"),
        ("meshes;render", LARGE, VIEWS, "jobs of rule render ask for different resources"),
    ],
    ids=("jobs", "timespan", "mixed"),
)
def test_arrays_that_would_lose_jobs_are_refused(checkout, rules, options, targets, says):
    words = ("--profile", "slurm", *targets, *options, "--slurm-array-jobs", rules)
    run = checkout.run(*words, cores=None, succeeds=False)
    assert says in run.text, run.text
    assert not (checkout.folder.parent / "slurm/calls.jsonl").exists()


def test_rules_of_the_block_are_submitted_as_arrays(checkout):
    slurm = checkout.folder.parent / "slurm"
    (slurm / "fail_first").write_text("meshes")  # that they are submitted is all that is looked at
    words = ("--profile", "slurm", *MESHES, *LARGE, "--retries", "0")
    quick = ("--slurm-init-seconds-before-status-checks", "1")
    rules = ("--slurm-array-jobs", ARRAYS["slurm-array-jobs"])
    checkout.run(*words, *quick, *rules, cores=None, succeeds=False)
    (call,) = map(json.loads, (slurm / "calls.jsonl").read_text().splitlines())
    assert call["rule"] == "meshes" and "--array=1-2" in call["arguments"]


def test_a_task_of_an_array_runs_its_own_command_alone(checkout):
    """What the executor starts is the command of the first job, with those of all others packed."""
    commands = {"2": zlib.compress(b"echo the second job; exit 3").hex()}
    packed = base64.b64encode(json.dumps(commands).encode()).decode()
    checkout.environment["SLURM_ARRAY_TASK_ID"] = "2"
    words = ("--executor", "slurm-jobstep", "--jobs", "1", f"--slurm-jobstep-array-execs={packed}")
    run = checkout.run(MESHES[0], *words, cores=None, succeeds=False)
    assert run.code == 3 and run.text.endswith("the second job\n"), run.text
    assert not checkout.results.exists()


def test_the_block_for_arrays():
    """Its rules exist, none asks for a GPU for some jobs only, and an array fits into a command line."""
    rules = "".join(path.read_text() for path in (harness.ROOT / "workflow/rules").glob("*.smk"))
    for name in ARRAYS["slurm-array-jobs"].split(","):
        body = re.search(rf"^rule {name}:\n(.*?)(?=^rule |\Z)", rules, re.M | re.S).group(1)
        assert "{chunk}" in body
        assert re.findall(r"gpu=(\w+)", body) in ([], ["network_gpus"]), name
    # one argument of a program holds 128 KiB; a task of an array takes about 2 KB of it
    assert ARRAYS["slurm-array-limit"] * 2300 < 128 * 1024
