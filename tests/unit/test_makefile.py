"""The Makefile's logic in a copy of the repository, with a Python that only pretends to install."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Makefile", "setup", ".ci", "requirements.txt", "pyproject.toml", "config")

# the base Python: makes an "environment" whose python is the next script; runs scripts for real
BASE = """#!/bin/sh
if [ "$2" = venv ]; then
    echo "base $*" >> {root}/log
    mkdir -p "$3/bin"
    for name in python snakemake; do cp {root}/stub-$name "$3/bin/$name"; done
    exit 0
fi
exec {python} "$@"
"""
PYTHON = """#!/bin/sh
echo "$0 $*" >> {root}/log
case "$*" in
    "-m pip"*) exit ${{FAKE_PIP:-0}};;
    setup/shared_libraries.py*bpy*) exit ${{FAKE_BLENDER:-0}};;
    setup/shared_libraries.py*|setup/browser.py|setup/slurm.py) exit 0;;
    "-m semcorr.stages.summary") echo THE TABLE;;
    "-m pytest -m cluster"*) echo "== 2 passed in 9 s =="; echo "$FAKE_NOTE"; exit ${{FAKE_CLUSTER:-0}};;
    "-m pytest"*) echo "note: $SUITE_NOTE"; echo "== 3 passed in 1 s =="; exit ${{FAKE_PYTEST:-0}};;
    *) exec {python} "$@";;
esac
"""
SNAKEMAKE = """#!/bin/sh
echo "snakemake $*" >> {root}/log
exit ${{FAKE_SNAKEMAKE:-0}}
"""


class Clone:
    def __init__(self, root):
        self.root = root
        for name in COPIED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
        (root / "requirements-blender.txt").write_text("bpy\n")
        for name, text in (("python", PYTHON), ("snakemake", SNAKEMAKE), ("base", BASE)):
            path = root / f"stub-{name}"
            path.write_text(text.format(root=root, python=sys.executable))
            path.chmod(0o755)

    def run(self, *arguments, **environment):
        (self.root / "log").write_text("")
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MAKE", "MFLAGS", "PYTEST", "SEMCORR", "RENDER", "TORCH"))
        }
        base = {"PYTHON3": str(self.root / "stub-base"), "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(
            arguments,
            cwd=self.root,
            env={**clean, **base, **environment},
            capture_output=True,
            text=True,
        )
        return run.returncode, run.stdout + run.stderr

    def make(self, *arguments, **environment):
        return self.run("make", *arguments, **environment)

    @property
    def log(self):
        return (self.root / "log").read_text().splitlines()

    def logged(self, part):
        return [line for line in self.log if part in line]


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_help_is_the_default_and_lists_every_target(clone):
    code, shown = clone.make()
    assert code == 0 and clone.log == []
    for target in "env env-blender demo test lint tiny-weights benchmarks clean".split():
        assert f"make {target} " in shown


def test_demo_on_a_fresh_clone(clone):
    code, shown = clone.make("demo")
    assert code == 0
    order = [
        shown.index("To be downloaded"),
        shown.index("about 400 MB"),
        shown.index("-m venv .venv\n"),
        shown.index("snakemake -c all results/coseg/chair.json"),
        shown.index("THE TABLE"),
    ]
    assert order == sorted(order)
    assert clone.logged("snakemake") == ["snakemake -c all results/coseg/chair.json figures"]
    assert clone.logged("-m pip install --disable-pip-version-check -r requirements.txt")
    assert clone.logged("--no-deps --no-build-isolation -e .")
    assert [line.split("python:")[-1] for line in clone.logged("shared_libraries")] == [
        "embreex",
        "bpy",
    ]


def test_second_demo_builds_nothing_and_leaves_planning_to_snakemake(clone):
    clone.make("demo")
    code, shown = clone.make("demo")
    assert code == 0 and "Nothing is downloaded" in shown
    assert clone.logged("pip") == [] and clone.logged("base") == []
    assert len(clone.logged("snakemake -c all")) == 1 and "THE TABLE" in shown


def test_demo_without_a_blender_that_loads_stops_before_computing(clone):
    code, shown = clone.make("demo", FAKE_BLENDER="1")
    assert code != 0 and "Without it: make demo RENDER=raycast" in shown
    assert clone.logged("snakemake") == []


def test_demo_where_blender_cannot_be_installed(clone):
    (clone.root / "requirements-blender.txt").unlink()
    code, shown = clone.make("demo")
    assert code != 0 and "Without it: make demo RENDER=raycast" in shown
    assert clone.logged("snakemake") == []


def test_demo_with_the_ray_caster_makes_no_blender_environment(clone):
    code, shown = clone.make("demo", "RENDER=raycast")
    assert code == 0 and not (clone.root / ".venv-blender").exists() and "GPL" not in shown
    (call,) = clone.logged("snakemake -c")
    assert '--config renders={"rig12": {"backend": "raycast"}' in call
    assert '"backend": "blender"' not in call


def test_demo_with_a_blender_of_the_users_own(clone):
    blender = clone.root / "blender"
    blender.write_text("#!/bin/sh\nexit ${FAKE_BLENDER:-0}\n")
    blender.chmod(0o755)
    assert clone.make("demo", SEMCORR_BLENDER=str(blender))[0] == 0
    assert not (clone.root / ".venv-blender").exists()
    code, shown = clone.make("demo", SEMCORR_BLENDER=str(blender), FAKE_BLENDER="1")
    assert code != 0 and "RENDER=raycast" in shown and clone.logged("snakemake -c") == []


def test_wrong_renderer_is_refused_first(clone):
    code, shown = clone.make("demo", "RENDER=opengl")
    assert code != 0 and "RENDER is one of: blender, raycast" in shown and clone.log == []


def test_failed_run_says_how_to_unlock(clone):
    code, shown = clone.make("demo", FAKE_SNAKEMAKE="137")
    assert code != 0 and ".venv/bin/snakemake --unlock" in shown and "THE TABLE" not in shown


def test_missing_python_is_named(clone):
    code, shown = clone.make("demo", PYTHON3="python3.11-that-is-not-there")
    assert code != 0 and "python3.11-that-is-not-there is not there: install Python 3.11" in shown


@pytest.mark.parametrize("place", ["https://example.org/cpu", "folder"])
def test_torch_index(clone, place):
    (clone.root / "folder").mkdir()
    assert clone.make("env", f"TORCH_INDEX={place}")[0] == 0
    option = "--find-links" if place == "folder" else "--extra-index-url"
    assert clone.logged(f"{option} {place} -r requirements.txt")


def test_interrupted_or_outdated_environment_is_completed(clone):
    assert clone.make("env", FAKE_PIP="1")[0] != 0
    assert clone.make("env")[0] == 0
    assert clone.logged("venv .venv") == [] and clone.logged("-r requirements.txt")
    assert clone.make("env")[0] == 0 and clone.log == []
    later = time.time() + 5
    os.utime(clone.root / "requirements.txt", (later, later))
    assert clone.make("env")[0] == 0 and clone.logged("-r requirements.txt")


@pytest.mark.parametrize("status", [0, 1, 4])
def test_ci_ends_with_the_closing_line_and_the_code_of_pytest(clone, status):
    code, shown = clone.run(".ci/run", FAKE_PYTEST=str(status))
    assert code == status
    assert shown.rstrip().splitlines()[-1] == "== 3 passed in 1 s =="


def test_ci_fails_with_the_tests_on_a_cluster(clone):
    code, shown = clone.run(".ci/run", FAKE_CLUSTER="3")
    assert code == 3
    assert shown.rstrip().splitlines()[-1] == "== 2 passed in 9 s =="
    runs = [line.split(" -m pytest ")[1] for line in clone.logged("-m pytest")]
    cluster = "-m cluster tests/e2e/slurm"
    # once more where something failed
    assert runs == [cluster, cluster, "-n 2 --dist loadfile --no-loadscope-reorder"]


def test_ci_repeats_what_was_skipped_without_a_slurm(clone):
    note = "SKIPPED the tests on a Slurm cluster: slurmctld is not installed"
    code, shown = clone.run(".ci/run", FAKE_NOTE=note)
    assert code == 0
    assert shown.rstrip().splitlines()[-2:] == [f"note: {note}", "== 3 passed in 1 s =="]


def test_make_test_fails_with_pytest(clone):
    assert clone.make("test", FAKE_PYTEST="1")[0] != 0
    assert clone.make("test-cluster", FAKE_CLUSTER="1")[0] != 0
    assert clone.make("test", "PYTEST_ARGS=-k one")[0] == 0 and clone.logged(
        "pytest -n 2 --dist loadfile --no-loadscope-reorder -k one"
    )


def test_clean_keeps_the_environments(clone):
    clone.make("env")
    for name in ("results/coseg", "src/semcorr/__pycache__", "tests"):
        (clone.root / name).mkdir(parents=True)
    assert clone.make("clean")[0] == 0
    assert not (clone.root / "results").exists() and (clone.root / ".venv").exists()
    assert not (clone.root / "src/semcorr/__pycache__").exists()


def test_tiny_weights_are_copied_and_entered(clone):
    content = b"weights"
    model = clone.root / "results" / "models" / "net" / "weights.safetensors"
    code, shown = clone.make("tiny-weights", "TINY_WEIGHTS=net=net_tiny")
    assert code != 0 and "model.json is missing" in shown
    assert clone.logged("snakemake -c all results/models/net/model.json")
    model.parent.mkdir(parents=True)
    model.with_name("model.json").write_text('{"name": "Net"}')
    for content in (b"weights", b"better weights"):
        model.write_bytes(content)
        assert clone.make("tiny-weights", "TINY_WEIGHTS=net=net_tiny")[0] == 0
    assert (clone.root / "resources/weights/net_tiny.safetensors").read_bytes() == content
    with (clone.root / "config" / "assets.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    described, row = (row for row in rows if row["key"] == "net_tiny")
    assert described["url"] == "repo:resources/weights/net_tiny.json"
    assert (clone.root / "resources/weights/net_tiny.json").read_text() == '{"name": "Net"}'
    assert row["sha256"] == hashlib.sha256(content).hexdigest() and row["bytes"] == "14"
    assert row["url"] == "repo:resources/weights/net_tiny.safetensors"
    others = [r for r in rows if r["key"] != "net_tiny"]
    with (ROOT / "config" / "assets.csv").open() as handle:
        assert others == [r for r in csv.DictReader(handle) if r["key"] != "net_tiny"]


def test_a_further_network_of_a_training_is_copied_with_its_description(clone):
    model = clone.root / "results" / "models" / "net"
    model.mkdir(parents=True)
    decoder = {"name": "Decoder", "args": {"width": 3}, "file": "decoder.safetensors"}
    (model / "model.json").write_text(json.dumps({"name": "Net", "others": [decoder]}))
    (model / "decoder.safetensors").write_bytes(b"more weights")
    wanted = "TINY_WEIGHTS=net:decoder=net_dec_tiny"
    assert clone.make("tiny-weights", wanted)[0] == 0
    assert clone.logged("snakemake -c all results/models/net/model.json")
    shipped = clone.root / "resources/weights"
    assert json.loads((shipped / "net_dec_tiny.json").read_text()) == decoder
    assert (shipped / "net_dec_tiny.safetensors").read_bytes() == b"more weights"
    code, shown = clone.make("tiny-weights", "TINY_WEIGHTS=net:head=net_head_tiny")
    assert code != 0 and "model.json names no head.safetensors" in shown


def test_weights_that_are_too_large_or_not_ours_are_not_entered(clone):
    model = clone.root / "results" / "models" / "net" / "weights.safetensors"
    model.parent.mkdir(parents=True)
    model.with_name("model.json").write_text("{}")
    model.write_bytes(bytes(11_999_999))
    before = (clone.root / "config" / "assets.csv").read_bytes()
    command = (sys.executable, "setup/ship_weights.py")
    code, shown = clone.run(*command, "net=net_tiny")
    assert code == 1 and "12000001 bytes" in shown
    model.write_bytes(b"x")
    code, shown = clone.run(*command, "net=dinov2_vits14")
    assert code == 1 and "not a shipped one" in shown
    assert (clone.root / "config" / "assets.csv").read_bytes() == before
    assert not (clone.root / "resources").exists()
