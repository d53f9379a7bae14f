"""What is in a job's log file and what at the terminal, from processes of their own."""

import os
import subprocess
import sys

import pytest

from semcorr.stages.running.threads import VARIABLES

HEAD = """
import ctypes, logging, os, subprocess, sys, warnings
from pathlib import Path
from types import SimpleNamespace
from semcorr.stages.running.job import run_rule

class Names(dict):
    pass

def rule(log):
    empty = Names()
    return SimpleNamespace(input=empty, output=empty, params=empty, wildcards=empty,
                           log=[log] if log else [], config={}, threads=1)
"""


def write_job(tmp_path, body, log="logs/job.log"):
    """Write a script that runs a stage with such a body; return its path."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    script = tmp_path / "job.py"
    script.write_text(f"{HEAD}\ndef main(job):\n{lines}\n\nrun_rule(rule({log!r}), main)\n")
    return script


def run(tmp_path, body, log="logs/job.log"):
    """Run a job; return its exit code, stdout, stderr and log."""
    command = [sys.executable, write_job(tmp_path, body, log)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    path = tmp_path / "logs/job.log"
    return done.returncode, done.stdout, done.stderr, path.read_text() if path.is_file() else None


ALONE = """
import os
import numpy as np
from semcorr.stages.running.job import run_alone

def main(job):
    np.ones((300, 300)) @ np.ones((300, 300))
    threads = len(os.listdir("/proc/self/task"))
    print(threads, job.runtime.threads, os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_NUM_THREADS"))

if __name__ == "__main__":
    run_alone(main, "Counts threads.")
"""


@pytest.mark.parametrize(
    ("arguments", "variables", "shown"),
    [
        ([], {}, "1 1 1 1"),
        (["--threads", "3"], {}, " 3 3 3"),
        ([], {"OMP_NUM_THREADS": "2"}, " 1 2 None"),
    ],
    ids=["as_in_the_workflow", "more", "said_outside"],
)
def test_a_stage_alone_has_the_threads_that_it_is_told(tmp_path, arguments, variables, shown):
    (tmp_path / "alone.py").write_text(ALONE)
    (tmp_path / "job.json").write_text('{"inputs": {}, "outputs": {}}')
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES} | variables
    command = [sys.executable, "alone.py", "job.json", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip("\n").endswith(shown)


def test_everything_that_is_printed_is_in_both(tmp_path):
    code, stdout, stderr, log = run(
        tmp_path,
        "print('of python')\n"
        "logging.getLogger('x').info('of logging')\n"
        "warnings.warn('of warnings')\n"
        "ctypes.CDLL(None).puts(b'of native code')\n"
        "os.write(2, b'of descriptor 2\\n')\n"
        "subprocess.run(['sh', '-c', 'echo of a child; echo of its errors >&2'])",
    )
    assert code == 0 and stdout == ""
    for line in ("of python", "INFO x: of logging", "UserWarning: of warnings", "of native code",
                 "of descriptor 2", "of a child", "of its errors", "peak memory"):  # fmt: skip
        assert stderr.count(line) == log.count(line) == 1, line


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.abort()", "Fatal Python error: Aborted"),
        ("ctypes.string_at(0)", "Fatal Python error: Segmentation fault"),
        ("raise ValueError('of main')", "ValueError: of main"),
    ],
)
def test_crashes_are_in_the_log(tmp_path, body, message):
    code, _, stderr, log = run(tmp_path, "print('before', flush=True)\n" + body)
    assert code != 0
    assert message in log and message in stderr and "before" in log


def test_without_a_log_file_streams_are_left_alone(tmp_path):
    code, stdout, stderr, log = run(tmp_path, "print('plain')", log=None)
    assert (code, stdout, log) == (0, "plain\n", None)
    assert "finished in" in stderr


def test_a_log_that_cannot_be_written_stops_no_job(tmp_path):
    (tmp_path / "logs/job.log").mkdir(parents=True)
    code, _, stderr, _ = run(tmp_path, "print('still runs')")
    assert code == 0 and "still runs" in stderr


def test_a_child_that_lives_on_does_not_hold_the_job(tmp_path):
    code, _, stderr, _ = run(
        tmp_path,
        "from semcorr.stages.running import logs\n"
        "logs.PATIENCE = 0.2\n"
        "subprocess.Popen(['sleep', '8'], stdin=subprocess.DEVNULL)",
    )
    assert code == 0 and "a process of the job still prints" in stderr


def test_progress_bars_move_while_the_job_runs(tmp_path):
    """Bytes arrive as they are printed, not at the end."""
    body = (
        "import time\n"
        "from tqdm import tqdm\n"
        "for _ in tqdm(range(3), mininterval=0, desc='bar'):\n"
        "    time.sleep(0.3)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, write_job(tmp_path, body)], cwd=tmp_path, stderr=subprocess.PIPE
    )
    try:
        seen = b""
        while b"3/3" not in seen:
            seen += process.stderr.read1()
        assert process.poll() is None and b"1/3" in seen
    finally:
        process.kill()
        process.communicate()
