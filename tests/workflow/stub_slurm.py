#!/usr/bin/env python3
"""Stands in for sbatch, squeue and the other tools of Slurm: records and runs what is submitted, or pretends.

Called under those names. STUB_SLURM names its folder: `calls.jsonl` gets one line per call of sbatch, with
the jobs (rule, wildcards) of all its tasks; a job's state lies in `state/<id>`. With `outputs.json`
({"rule": [[wildcards, [paths]]]}) and `prepared/` in that folder a job's outputs are copied from there,
without `prepared/` they are empty; without both, the submitted command runs. `fail_first` holds the names of
rules whose first submission fails, `late` the seconds after which copied outputs show up, `takes` the least
and the most seconds that a job is seen to run (chunk 0 the most, others less than half).
"""

import base64
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

ROOT = Path(os.environ["STUB_SLURM"])


def target_of(command):
    """Return rule and wildcards of the job that a submitted command runs."""
    found = re.search(r"--target-jobs '?([a-z_]+):([^' ]*)", command)
    pairs = (pair.split("=", 1) for pair in found.group(2).split(",") if pair)
    return found.group(1), dict(sorted(pairs))


def sbatch(arguments):
    number = own_number()
    command = next(a for a in arguments if a.startswith("--wrap=")).removeprefix("--wrap=")
    rule, wildcards = target_of(command)
    name = arguments[arguments.index("--job-name") + 1]
    tasks = tasks_of(arguments, number, command)
    call = {"id": number, "rule": rule, "wildcards": wildcards, "arguments": arguments[:-1]}
    call |= {"command": command, "jobs": [target_of(task) for task in tasks.values()]}
    with open(ROOT / "calls.jsonl", "a") as file:
        file.write(json.dumps(call) + "\n")
    for task_id, task in tasks.items():
        done = succeeds(*target_of(task), task, number, arguments)
        state = f"{name}|{'COMPLETED' if done else 'FAILED'}|{time.time() + duration(target_of(task)[1])}"
        (ROOT / "state" / task_id).write_text(state)
    sys.stdout.write(f"{number}\n")


def own_number():
    """Return a number that no other call has: two may come at once."""
    numbers = ROOT / "numbers"
    numbers.mkdir(exist_ok=True)
    (ROOT / "state").mkdir(exist_ok=True)
    for number in range(len(list(numbers.iterdir())) + 1, sys.maxsize):
        try:
            (numbers / str(number)).mkdir()
            return number
        except FileExistsError:
            pass


def tasks_of(arguments, number, command):
    """Return {id: command} of a job, or of all tasks of an array."""
    array = [a.removeprefix("--array=") for a in arguments if a.startswith("--array=")]
    if not array:
        return {str(number): command}
    packed = re.search(r"--slurm-jobstep-array-execs='?([\w+/=]+)", command).group(1)
    others = json.loads(base64.b64decode(packed))
    commands = {
        task: zlib.decompress(bytes.fromhex(text)).decode() for task, text in others.items()
    }
    first, last = map(int, array[0].split("-"))
    assert list(commands) == [str(task) for task in range(first + 1, last + 1)], array
    return {f"{number}_{task}": text for task, text in ({str(first): command} | commands).items()}


def duration(wildcards):
    if not (ROOT / "takes").exists():
        return 0
    least, most = map(float, (ROOT / "takes").read_text().split())
    # one chunk behind all others, so that its jobs become ready alone
    return most if wildcards.get("chunk") == "0" else random.uniform(least, most / 4)


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
        if source.is_dir():
            shutil.copytree(source, path)
        elif source.exists():
            shutil.copy(source, path)
        elif Path(path).suffix in (".zarr", ""):
            Path(path).mkdir(exist_ok=True)
        else:
            Path(path).touch()


def squeue(arguments):
    name = arguments[arguments.index("--name") + 1]
    for path in sorted((ROOT / "state").glob("*")):
        job_name, state, until = path.read_text().split("|")
        if job_name == name:
            state = state if time.time() >= float(until) else "RUNNING"
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
