"""A checkout in which Slurm's tools are stub_slurm.py, and what was submitted to it."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import harness

TOOLS = ("sbatch", "squeue", "srun", "sacct", "scancel", "sinfo", "scontrol")
# The profile waits longer before it asks how a job is
QUICK = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5")


def install(place: Path) -> dict[str, str]:
    """Put the tools into `place/bin` and their folder beside it; return the variables of a run."""
    tools = place / "bin"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(Path(harness.__file__).with_name("stub_slurm.py"))
    (place / "slurm").mkdir()
    return {
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STUB_SLURM": str(place / "slurm"),
        "HOME": str(place / "home"),  # no profile of the user's own
    }


def outputs_of(plan: harness.Plan) -> dict[str, list]:
    """Return {rule: [[wildcards, files]]} of planned jobs, as the stub wants it in outputs.json."""
    table: dict[str, list] = {}
    for job in plan.jobs:
        made = [*job["outputs"], *filter(None, [job["benchmark"]])]
        entry = [dict(sorted(job["wildcards"].items())), made]
        table.setdefault(job["rule"], []).append(entry)
    return table


def calls(place: Path) -> list[dict]:
    """Return the calls of sbatch."""
    path = place / "slurm/calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def submitted(found: list[dict]) -> Counter:
    """Return how often each job was submitted, alone or as a task: (rule, wildcards) -> times."""
    jobs = (job for call in found for job in call["jobs"])
    return Counter((rule, tuple(sorted(wildcards.items()))) for rule, wildcards in jobs)


def planned(table: dict[str, list]) -> Counter:
    """Return the same of the jobs in outputs.json, each once."""
    return Counter(
        (rule, tuple(sorted(wildcards.items())))
        for rule, jobs in table.items()
        for wildcards, _ in jobs
    )
