"""`snakemake -c all check` as a user types it, once for real."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_check_runs_in_seconds_and_its_exit_code_is_that_of_the_demo(tmp_path):
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config/config.yaml", tmp_path / "config")
    nobody = "http://127.0.0.1:9"  # whoever asks the network gets no answer
    environment = os.environ | {"http_proxy": nobody, "https_proxy": nobody}
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-c", "all"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run(
        [*command, "check"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # 20 s are promised; what else the machine does while it tests is in the wall clock alone
    assert used < 20 and seconds < 60, f"{used:.1f} s of processor, {seconds:.1f} s"

    facts = json.loads((tmp_path / "results/check.json").read_text())
    assert (result.returncode == 0) == facts["targets"]["demo"]["possible"], result.stdout
    assert "Traceback" not in result.stdout
    assert facts["python"]["ok"] and facts["assets"]["ss_vae_tiny"]["state"] == "shipped"
    for key, asset in facts["assets"].items():
        assert key in result.stdout and asset["licence"] in result.stdout
    files = {p.relative_to(tmp_path) for p in (tmp_path / "results").rglob("*") if p.is_file()}
    assert files == {Path("results/check.json")}
