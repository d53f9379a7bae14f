#!/usr/bin/env python3
"""Stands in for sbatch, squeue and the other tools of Slurm: records and runs what is submitted, or pretends.

Called under those names. STUB_SLURM names its folder: `calls.jsonl` gets one line per call of sbatch; a job's
state lies in `state/<id>`. With `outputs.json` ({"rule": [[wildcards, [paths]]]}) and `prepared/` in that
folder a job's outputs are copied from there; without, the submitted command runs. `fail_first` holds the
names of rules whose first submission fails, `late` the seconds after which copied outputs show up.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["STUB_SLURM"])


def target_of(command):
    """Return rule and wildcards of the job that a submitted command runs."""
    found = re.search(r"--target-jobs '?([a-z_]+):([^' ]*)", command)
    pairs = (pair.split("=", 1) for pair in found.group(2).split(",") if pair)
    return found.group(1), dict(sorted(pairs))


def sbatch(arguments):
    state = ROOT / "state"
    state.mkdir(exist_ok=True)
    number = len(list(state.iterdir())) + 1
    command = next(a for a in arguments if a.startswith("--wrap=")).removeprefix("--wrap=")
    rule, wildcards = target_of(command)
    name = arguments[arguments.index("--job-name") + 1]
    call = {"id": number, "rule": rule, "wildcards": wildcards, "arguments": arguments[:-1]}
    call["command"] = command
    with open(ROOT / "calls.jsonl", "a") as file:
        file.write(json.dumps(call) + "\n")
    done = "COMPLETED" if succeeds(rule, wildcards, command, number, arguments) else "FAILED"
    (state / str(number)).write_text(f"{name}|{done}")
    sys.stdout.write(f"{number}\n")


def succeeds(rule, wildcards, command, number, arguments):
    fails = ROOT / "fail_first"
    again = ROOT / "failed" / f"{rule}-{'-'.join(wildcards.values())}"
    if fails.exists() and rule in fails.read_text().split() and not again.exists():
        again.parent.mkdir(exist_ok=True)
        again.touch()
        return False
    if not (ROOT / "outputs.json").exists():
        folder = arguments[arguments.index("-D") + 1]
        with open(ROOT / f"{number}.log", "w") as log:
            variables = os.environ | {"SLURM_JOB_ID": str(number), "SLURM_JOBID": str(number)}
            return not subprocess.call(
                ["sh", "-c", command], cwd=folder, env=variables, stdout=log, stderr=log
            )
    table = json.loads((ROOT / "outputs.json").read_text())[rule]
    outputs = next(paths for found, paths in table if found == wildcards)
    if (ROOT / "late").exists() and os.fork():  # the child copies them when the job has ended
        return True
    if (ROOT / "late").exists():
        os.setsid()
        for stream in (0, 1, 2):
            os.close(stream)
        time.sleep(float((ROOT / "late").read_text()))
        copy(outputs)
        os._exit(0)
    copy(outputs)
    return True


def copy(outputs):
    for path in outputs:
        source = ROOT / "prepared" / path
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, path)


def squeue(arguments):
    name = arguments[arguments.index("--name") + 1]
    for path in sorted((ROOT / "state").glob("*")):
        job_name, state = path.read_text().split("|")
        if job_name == name:
            sys.stdout.write(f"{path.name}|{state}\n")


def srun(arguments):
    start = next(n for n, a in enumerate(arguments) if not a.startswith("-"))
    os.execvp(arguments[start], arguments[start:])


def sacct(_arguments):
    """Answer like a Slurm without accounting, which never tells that a job ended."""
    sys.stderr.write("Slurm accounting storage is disabled\n")
    raise SystemExit(1)


def scontrol(_arguments):
    sys.stdout.write("MinJobAge               = 600 sec\n")


def nothing(_arguments):
    """scancel, sinfo: nothing to say."""


if __name__ == "__main__":
    tools = {"sbatch": sbatch, "squeue": squeue, "srun": srun, "sacct": sacct, "scontrol": scontrol}
    tools.get(Path(sys.argv[0]).name, nothing)(sys.argv[1:])
