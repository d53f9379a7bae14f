"""Benchmarks: what they compare agrees, and `make benchmarks` runs on a machine without weights."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pair_without_weights_says_what_it_lacks_and_ends_well(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEMCORR_")}
    command = [sys.executable, ROOT / "benchmarks/pair.py", "--method", "guided_mobilenetv2"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "not measured: no weights of guided_mobilenetv2" in done.stdout
    assert "SEMCORR_MIRROR is not set" in done.stdout
    assert not list(tmp_path.iterdir())


def test_rotations_are_measured_on_shapes_of_an_experiment():
    command = [
        sys.executable,
        ROOT / "benchmarks/rotations.py",
        "procedural_rotations",
        "--shapes",
        "2",
    ]
    options = ["--sources", "1", "--methods", "spatial", "spatial_yaw", "--poses", "random_yaw"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "spatial_yaw" in done.stdout


def test_baking_agrees_with_its_plain_formulation():
    """Texel by texel, but for places on an edge, where either of its two faces may be named."""
    path = ROOT / "benchmarks/texture_baking.py"
    spec = importlib.util.spec_from_file_location("texture_baking", path)
    baking = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(baking)
    inputs = (*baking.shapes(24, source_size=128), 24)
    counted = baking.compare(inputs[0], baking.fast(*inputs), baking.plain(*inputs))
    assert counted["texels"] > 50
    assert counted["other_face"] < 0.2 * counted["texels"]
