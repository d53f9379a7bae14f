"""Work folders whose Snakemake submits to the cluster: start, watch, look up what Slurm made of it."""

import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import harness
from daemons import path_with_daemons
from slurm_cluster import Cluster

TOY = Path(__file__).with_name("toy")
# What the profile waits before it asks, shortened: an ended job is seen after a second, not twenty
QUICK = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10")
PREPARED = [f"results/prepared/s{number}.txt" for number in range(6)]  # of the toy
SECONDS = 600  # a job on a busy machine starts Snakemake twice before it begins


@dataclass
class ClusterWork(harness.Work):
    """A work folder in which `snakemake --profile slurm` is run from the root, as users do."""

    cluster: Cluster | None = None

    def arguments(self, *arguments: str) -> list[str]:
        return [*arguments]

    def submit(self, *arguments: str) -> harness.Process:
        """Start `snakemake --profile slurm <arguments>`."""
        return self.start("--profile", "slurm", *arguments, *QUICK, cores=None)

    def jobs_of(self, run: harness.Process | harness.Run) -> list[dict[str, str]]:
        """Return Slurm's own records of all jobs that a run submitted."""
        text = run.text if isinstance(run, harness.Run) else run.output.read_text()
        found = re.search(r"SLURM run ID: (\S+)", text)
        jobs = self.cluster.jobs(found.group(1)) if found else []
        for job in jobs:
            job["rule"] = re.match(r"rule_([a-z_]+?)(_wildcards|$)", job["Comment"]).group(1)
        return jobs

    def job_of(
        self, run: harness.Process | harness.Run, rule: str, wildcard: str = ""
    ) -> list[dict]:
        """Return the records of the jobs of one rule whose wildcards end with a name, first attempt first."""
        return [
            job
            for job in self.jobs_of(run)
            if job["rule"] == rule and job["Comment"].endswith(wildcard)
        ]

    def task_of(self, run: harness.Process | harness.Run, name: str) -> str:
        """Return `<array>_<task>` of the job `<rule>-<sample>` of the toy."""
        (number,) = {variables["SLURM_JOB_ID"] for variables in self.seen(name)}
        (job,) = [job for job in self.jobs_of(run) if job["JobId"] == number]
        return f"{job['ArrayJobId']}_{job['ArrayTaskId']}"

    def hold(self, *names: str) -> None:
        """Let jobs `<rule>-<sample>` of the toy stand still in their middle."""
        (self.folder / "hold").mkdir(exist_ok=True)
        for name in names:
            (self.folder / "hold" / name).touch()

    def let_go(self, *names: str) -> None:
        """Let held jobs go on."""
        for name in names:
            (self.folder / "hold" / name).unlink()

    def seen(self, name: str) -> list[dict[str, str]]:
        """Return the variables of all starts of a job `<rule>-<sample>`, in their order."""
        return [json.loads(p.read_text()) for p in sorted(self.folder.glob(f"seen/{name}-*.json"))]

    def wait_for(self, name: str, times: int = 1, seconds: float = SECONDS) -> None:
        """Wait until a job has begun for the n-th time."""
        wait_until(lambda: len(self.seen(name)) >= times, f"{name} has not begun", seconds)

    def ask(self, name: str, **wanted: int) -> None:
        """Leave a job something to do on its way."""
        (self.folder / "todo").mkdir(exist_ok=True)
        (self.folder / f"todo/{name}.json").write_text(json.dumps(wanted))


def wait_until(condition, failure: str, seconds: float = SECONDS) -> None:
    """Wait for something; fail the test after a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, failure
        time.sleep(0.3)


def toy(
    folder: Path, cluster: Cluster | None = None, samples: int = 2, minutes: int = 10
) -> ClusterWork:
    """Make a folder with the toy workflow and the profiles of the real one.

    `minutes` is what jobs of the rule `prepare` ask for at their first attempt.
    """
    shutil.copytree(TOY, folder)
    shutil.copytree(harness.ROOT / "profiles", folder / "profiles")
    (folder / "slurm").symlink_to("profiles/slurm")
    shutil.copy(harness.ROOT / "workflow/rules/cluster.smk", folder)
    work = ClusterWork(folder, folder, environment_of(folder), cluster=cluster)
    work.write_config({"samples": samples, "minutes": minutes})
    return work


def environment_of(folder: Path) -> dict[str, str]:
    """Return variables of a run: no profile of the user's own; Snakemake and Slurm on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{path_with_daemons()}"
    return {"HOME": str(folder.parent / "home"), "PATH": path}


def succeeds(run: harness.Run) -> harness.Run:
    """Assert that a run ended well."""
    assert run.code == 0, run.text
    return run


def as_expected(work: ClusterWork, expected: dict[str, str], *paths: str) -> None:
    """Assert that a run made these results, no others, with the contents of a run without Slurm."""
    names = [path.removeprefix("results/") for path in paths]
    assert work.contents() == {name: expected[name] for name in names}


def array_options(rules: str | None = None) -> list[str]:
    """Return the block for arrays in the profile as it is written there, or for other rules than its own."""
    text = (harness.ROOT / "profiles/slurm/profile.yaml").read_text()
    block = text[text.index("# slurm-array-jobs:") :].replace("# ", "").splitlines()
    options = dict(line.split(": ") for line in block)
    assert list(options) == [
        "slurm-array-jobs", "slurm-array-limit", "jobs", "max-jobs-per-timespan"
    ]  # fmt: skip
    if rules is not None:
        options["slurm-array-jobs"] = rules
    return [word for name, value in options.items() for word in (f"--{name}", value)]
