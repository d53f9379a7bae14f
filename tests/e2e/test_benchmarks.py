"""Benchmarks that need weights say what they lack, so that `make benchmarks` runs on a bare machine."""

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
