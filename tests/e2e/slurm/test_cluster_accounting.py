"""A Slurm with accounting: jobs that are followed by `sacct`, and the executor's efficiency report."""

import csv
import re

import harness
import pytest
from cluster_runs import PREPARED, array_options, as_expected, succeeds

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
ACCOUNTING = True
DOCS = harness.ROOT / "docs/cluster.md"
OPTIONS = ("--slurm-status-command", "sacct", "--slurm-efficiency-report")


def efficiency(work):
    """Return the rows of the run's efficiency report by job or task."""
    (path,) = work.folder.glob("efficiency_report_semcorr_*.csv")
    with open(path, newline="") as lines:
        return {row["JobID"].removesuffix(".0"): row for row in csv.DictReader(lines)}


def documented_columns():
    """Return the columns that docs/cluster.md explains."""
    section = DOCS.read_text().split("`efficiency_report_semcorr_<run>.csv`", 1)[1]
    cells = re.findall(r"^\| (`[^|]+`) \|", section.split("\n## ")[0], re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_an_array_followed_by_sacct_and_its_efficiency_report(work, expected_toy):
    """A task that is cancelled is seen, and the others go on; what they used is in the report."""
    names = ["prepare-s0", "prepare-s1"]
    work.hold(*names)
    for name in names:
        work.ask(name, allocate_mb=300, sleep=5)
    process = work.submit(*PREPARED[:2], *OPTIONS, *array_options("prepare"))
    for name in names:
        work.wait_for(name)
    tasks = {work.task_of(process, name): name for name in names}
    cancelled, kept = sorted(tasks)
    # not the last task, whose state the executor would take for that of all
    work.cluster.tell("scancel", cancelled)
    work.let_go(*names)
    run = succeeds(process.end())
    (again,) = (job["JobId"] for job in work.jobs_of(run) if "ArrayJobId" not in job)
    told = work.cluster.tell(
        "sacct", "-X", "-n", "-P", "-o", "JobID,State", "-j", f"{kept},{cancelled},{again}"
    )
    states = dict(line.split()[0].split("|") for line in told.splitlines())
    assert states == {cancelled: "CANCELLED", kept: "COMPLETED", again: "COMPLETED"}

    rows = efficiency(work)
    # the first task of an array runs without a step, and has no row
    assert rows.keys() == {kept, again}
    assert documented_columns() <= rows[again].keys() and len(documented_columns()) > 5
    asked = [float(rows[name]["RequestedMem_MB"]) for name in (kept, again)]
    assert asked == pytest.approx([800, 1600], abs=1)
    assert rows[again]["RuleName"] == f"rule_{tasks[cancelled].replace('-', '_wildcards_')}"
    large = {key: float(rows[kept][key]) for key in documented_columns() - {"RuleName"}}
    assert large["MaxRSS_MB"] > 300
    assert large["Memory Usage (%)"] == pytest.approx(large["MaxRSS_MB"] / 8, abs=0.2)
    assert large["Elapsed_sec"] >= 5 and large["TotalCPU_sec"] > 0.5
    as_expected(work, expected_toy, *PREPARED[:2])
