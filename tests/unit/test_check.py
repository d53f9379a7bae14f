"""The check: what breaks is named, nothing broken takes the rest with it."""

import copy
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from semcorr.assets.table import read_table
from semcorr.config.load import validate
from semcorr.planning import Plan
from semcorr.stages import check
from semcorr.stages.check import RAYCAST, targets
from semcorr.stages.one_pair.method import AUTO_ORDER
from semcorr.stages.running import machine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Modules of our own instead of the real ones: `modules(name="source", ...)`."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def make(**sources):
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        imports = {name: (name, "all") for name in sources}
        monkeypatch.setattr(machine, "IMPORTS", imports)

    return make


def test_every_kind_of_broken_import_is_named_and_the_rest_goes_on(modules):
    modules(
        first="print('noise on standard output')",
        raises="raise ImportError('libfoo.so.1: cannot open shared object file')",
        leaves="import sys; sys.exit(3)",
        dies="import os; os._exit(7)",
        aborts="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        last="",
    )
    found, _ = machine.packages(fast=False, seconds=20)
    errors = {name: fact["error"] for name, fact in found.items()}
    assert errors == {
        "first": "",
        "raises": "ImportError: libfoo.so.1: cannot open shared object file",
        "leaves": "SystemExit: 3",
        "dies": "its import ends Python (code 7)",
        "aborts": "its import ends Python (code -11)",
        "last": "",
    }
    assert [name for name, fact in found.items() if fact["ok"]] == ["first", "last"]


def test_hanging_import_ends_with_the_time(modules):
    modules(first="", hangs="import time; time.sleep(60)", last="", numpy="")
    machine.IMPORTS["numpy"] = ("numpy", "all")
    start = time.monotonic()
    found, _ = machine.packages(fast=False, seconds=1.5)
    assert time.monotonic() - start < 5
    assert found["first"]["ok"]
    assert "it hangs, or the machine is busy (try more --seconds)" in found["hangs"]["error"]
    assert found["hangs"]["ok"] is None
    assert (found["last"]["ok"], found["last"]["error"]) == (False, "is not installed")
    assert (found["numpy"]["ok"], found["numpy"]["error"]) == (None, "not tried: out of time")


@pytest.mark.parametrize(
    "source, problem", [("import time; time.sleep(60)", "hangs"), ("import os; os._exit(7)", "7")]
)
def test_gpus_that_do_not_answer_leave_torch_and_the_rest_as_they_are(modules, source, problem):
    broken = f"class cuda:\n    def is_available():\n        {source}\n"
    modules(torch=broken, last="")
    found, cuda = machine.packages(fast=False, seconds=2)
    assert found["torch"]["ok"]
    assert problem in cuda["problem"] and "look for GPUs" in cuda["problem"]
    left = found["last"]["error"]
    assert found["last"]["ok"] if problem == "7" else left == "is not installed"


def test_cuda_is_asked_of_torch_and_survives_its_failure(modules):
    modules(torch="class cuda:\n    is_available = staticmethod(lambda: 1 / 0)\n", last="")
    found, cuda = machine.packages(fast=False, seconds=20)
    assert found["torch"]["ok"] and found["last"]["ok"]
    assert not cuda["cuda"] and "division" in cuda["problem"]


def test_blender_and_set_up_that_give_no_answer(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_output", lambda *_: "Segmentation fault")
    assert machine.blender_fact("", False, 1.0)["ok"] is False
    assert "gave no answer" in machine.libraries_fact(False, 1.0)["problem"]


def test_programs_that_do_not_start_or_end():
    assert machine._output(["/nonexistent/program"], 1) == ""
    assert machine._output(["sleep", "10"], 0.1) == ""


def test_slurm_client_is_asked_for_its_version_only(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.slurm_fact() == {"sbatch": "", "version": "", "ok": False}
    (tmp_path / "sbatch").write_text('#!/bin/sh\n[ "$1" = --version ] && echo "slurm 22.05.8"\n')
    (tmp_path / "sbatch").chmod(0o755)
    assert machine.slurm_fact()["version"] == "22.05.8"


def test_broken_asset_table_is_a_fact(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "read_table", lambda: 1 / 0)
    assert "division" in machine.assets_fact(tmp_path)["error"]["error"]


def test_default_weights_are_read_without_a_library(tmp_path):
    config = tmp_path / "config.yaml"
    text = "a: {weights: ss_vae_tiny}\nb:\n  weights: net # weights: no\n  image_encoder: enc\n"
    config.write_text(text)
    assert machine.default_weights(config) == ["enc", "net", "ss_vae_tiny"]
    assert machine.default_weights(tmp_path / "none.yaml") == []


# ---------------------------------------------------------------------------- what stays possible


def asset(state):
    return {
        "state": state,
        "bytes": 10**6,
        "bytes_are": "exact",
        "licence": "MIT",
        "non_commercial": False,
        "verified": "sha256",
        "description": "",
    }


@pytest.fixture
def complete(monkeypatch, tmp_path):
    """Facts of a machine that lacks nothing."""
    (tmp_path / "config" / "presets").mkdir(parents=True)
    (tmp_path / "config" / "presets" / "hnsr.yaml").touch()
    monkeypatch.setattr(check, "repository_root", lambda: tmp_path)
    ok = {"version": "1", "ok": True, "error": ""}
    imports = machine.IMPORTS.items()
    return {
        "python": {"version": "3.11.7", "executable": "python", "ok": True},
        "packages": {name: {**ok, "needed_by": needed_by} for name, (_, needed_by) in imports},
        "assets": {
            **{key: asset("shipped") for key in ("ss_vae_tiny", "image_encoder_tiny")},
            **{key: asset("network") for key in ("dinov2_vits14", *check.HNSR_ASSETS)},
            "mobilenetv2_imagenet": asset("missing"),
        },
        "default_weights": ["ss_vae_tiny"],
        "mirror": "",
        "devices": {"cpus": 2, "memory_gb": 8.0, "cuda": False, "gpus": [], "problem": ""},
        "disk": {"path": "results", "free_gb": 50.0},
        "slurm": {"sbatch": "/usr/bin/sbatch", "version": "22.05.8", "ok": True},
        "blender": {"ok": True, "version": "4.5", "missing_library": "", "problem": ""},
        "shared_libraries": {"missing": [], "command": "", "problem": ""},
    }


def possible(facts):
    return {name for name, target in targets(facts).items() if target["possible"]}


def types_of(facts, target):
    return [item["type"] for item in targets(facts)[target]["missing"]]


ALL = {"demo", "demo_raycast", "pair", "preset_hnsr", "slurm"}


def test_experiments_of_the_configuration_in_use(complete):
    wanted = check.Wanted(("ss_vae_tiny", "dinov2_vits14"), ("raycast",))
    found = targets(complete, wanted)["experiments"]
    assert found["possible"] and found["note"].endswith("to download: dinov2_vits14")
    offline = targets(complete, replace(wanted, offline=True))["experiments"]
    assert [item["what"] for item in offline["missing"]] == ["asset dinov2_vits14 (offline: true)"]
    gone = targets(complete, replace(wanted, weights=("mobilenetv2_imagenet",)))["experiments"]
    assert [item["what"] for item in gone["missing"]] == ["asset mobilenetv2_imagenet"]
    complete["blender"] = complete["blender"] | {"ok": False, "problem": "not there"}
    assert targets(complete, wanted)["experiments"]["possible"]
    blender = targets(complete, replace(wanted, backends=("blender",)))["experiments"]
    assert [item["what"] for item in blender["missing"]] == ["Blender: not there"]


def test_complete_machine(complete):
    assert possible(complete) == ALL
    assert targets(complete)["preset_hnsr"]["note"].startswith(
        "on the CPU: slow; to download: trel"
    )
    complete["devices"].update(cuda=True, gpus=["H200"])
    assert targets(complete)["preset_hnsr"]["note"].startswith("on H200")


def test_without_blender_the_ray_caster_remains(complete):
    complete["blender"] = {"ok": False, "version": "", "missing_library": "", "problem": "no"}
    assert possible(complete) == ALL - {"demo", "preset_hnsr"}
    assert types_of(complete, "demo") == [f"make env-blender   (or do without: {RAYCAST})"]
    complete["blender"]["missing_library"] = "libXi.so.6"
    complete["shared_libraries"].update(missing=["libXi.so.6"], command="apt-get install libxi6")
    assert types_of(complete, "demo")[0].startswith("apt-get install libxi6")


def test_missing_library_of_all_stages(complete):
    complete["packages"]["embreex"].update(ok=False, version="", error="is not installed")
    assert possible(complete) == set() and types_of(complete, "pair") == ["make env"]
    complete["packages"]["embreex"].update(version="4", error="ImportError: undefined symbol")
    assert types_of(complete, "pair") == ["rm -rf .venv && make env"]


def test_library_that_was_not_tried_for_lack_of_time_is_not_called_missing(complete):
    complete["packages"]["timm"].update(ok=None, error="not tried: out of time")
    assert possible(complete) == ALL


def test_missing_slurm_or_its_plug_in(complete):
    complete["slurm"]["ok"] = False
    complete["packages"]["snakemake_executor_plugin_slurm"].update(ok=False, version="", error="x")
    assert possible(complete) == ALL - {"slurm"}
    assert len(types_of(complete, "slurm")) == 2


def test_wrong_python(complete):
    complete["python"]["ok"] = False
    assert possible(complete) == set()
    assert types_of(complete, "demo") == ["make env PYTHON3=python3.11"]


@pytest.mark.parametrize("state", ["missing", "network"])
def test_missing_weights_and_disk(complete, state):
    complete["assets"]["ss_vae_tiny"] = asset(state)
    assert possible(complete) == ALL - {"demo", "demo_raycast"}
    complete["assets"].pop("ss_vae_tiny")
    assert "demo" not in possible(complete)
    complete["disk"]["free_gb"] = 0.5
    assert possible(complete) == {"pair", "slurm"}


def test_pair_names_the_method_that_auto_takes(complete):
    def note():
        return targets(complete)["pair"]["note"]

    assert note() == "method=auto takes guided tiny (guided DINOv2-S if it can be downloaded)"
    complete["assets"]["mobilenetv2_imagenet"] = asset("mirror")
    assert "takes guided MobileNetV2" in note()
    complete["assets"]["dinov2_vits14"] = asset("present")
    assert note() == "method=auto takes guided DINOv2-S"
    complete["assets"] = {"dinov2_vits14": asset("network")}
    assert note().endswith("must be downloaded")
    complete["assets"] = {}
    assert "pair" not in possible(complete)


def test_table_names_every_missing_thing(complete):
    facts = copy.deepcopy(complete)
    facts["blender"].update(ok=False, version="", problem="Blender lacks libXi.so.6")
    facts["assets"]["mobilenetv2_imagenet"]["non_commercial"] = True
    shown = check.text(facts, targets(facts))
    assert "MIT (non-commercial)" in shown and "make env-blender" in shown
    assert all(line == line.rstrip() for line in shown.splitlines())
    assert "missing, and what to type" not in check.text(complete, targets(complete))
    facts["assets"] = {"error": {"state": "missing", "error": "line 3 is odd"}}
    assert "line 3 is odd" in check.text(facts, targets(facts))


@pytest.mark.parametrize(
    ("blender", "core", "code", "message"),
    [
        (True, True, 0, "The demo is possible: make demo"),
        (False, True, 1, f"without Blender it is: {RAYCAST}"),
        (True, False, 1, "The demo is not possible."),
    ],
)
def test_exit_code_and_file(complete, tmp_path, monkeypatch, blender, core, code, message):
    complete["blender"]["ok"] = blender
    complete["packages"]["zarr"]["ok"] = core
    monkeypatch.setattr(check, "gather", lambda *_, **__: complete)
    written = []
    output = tmp_path / "new" / "check.json"
    assert check.check(output, written.append) == code
    assert written[-1].strip().endswith(message)
    record = json.loads(output.read_text())
    assert record["schema"] == 1 and record["targets"]["demo"]["possible"] is (code == 0)


# ---------------------------------------------------------------------------- on this machine


def test_fast_mode_touches_no_network_and_imports_nothing(tmp_path, monkeypatch, capsys):
    def refuse(*_, **__):
        raise AssertionError("network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setenv("PATH", str(tmp_path))
    code = check.main(["--fast", "--output", str(tmp_path / "check.json")])
    record = json.loads((tmp_path / "check.json").read_text())
    assert code == (0 if record["targets"]["demo"]["possible"] else 1)
    assert record["packages"]["torch"]["version"] in capsys.readouterr().out
    assert set(record["targets"]) == ALL


def test_whole_check_with_a_broken_library(tmp_path):
    (tmp_path / "embreex.py").write_text("import os; os.abort()")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    output = tmp_path / "results" / "check.json"
    command = [sys.executable, "-m", "semcorr.stages.check", "--output", str(output)]
    start = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert time.monotonic() - start < 20
    record = json.loads(output.read_text())
    assert run.returncode == 1 and run.stderr == ""
    assert record["packages"]["embreex"]["error"] == "its import ends Python (code -6)"
    assert record["packages"]["torch"]["ok"] is not False, record["packages"]["torch"]
    assert "embreex: its import ends Python" in run.stdout


def test_the_guided_methods_are_those_that_pair_tries():
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    plan = Plan(validate(raw, list(read_table(ROOT / "config/assets.csv"))))
    assert [plan.weights_behind(method) for method in AUTO_ORDER] == [
        {key} for key in check.GUIDED.values()
    ]
