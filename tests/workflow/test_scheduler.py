"""How often Snakemake looks at the jobs that are ready: after a job and once a second, with the mend."""

import shutil
import subprocess
import sys
import time

import harness
import pytest

JOBS = 25
SNAKEFILE = """
{include}
from snakemake.scheduling.job_scheduler import JobScheduler

looks, select = [], JobScheduler.job_selector


def counted(scheduler, jobs):
    looks.append(len(jobs))
    return select(scheduler, jobs)


JobScheduler.job_selector = counted


onsuccess:
    print("looks:", len(looks))


rule all:
    input:
        expand("{{number}}.txt", number=range({jobs})),


rule one:
    output:
        "{{number}}.txt",
    shell:
        "sleep 0.2; touch {{output}}"
"""


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "as it is"])
def test_looks_do_not_multiply(mended, tmp_path):
    include = 'include: "scheduler.smk"' if mended else ""
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(include=include, jobs=JOBS))
    shutil.copy(harness.ROOT / "workflow/rules/scheduler.smk", tmp_path)
    begin = time.monotonic()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    assert run.returncode == 0, run.stderr
    assert len(list(tmp_path.glob("*.txt"))) == JOBS
    looks = int(run.stdout.split("looks:")[1])
    # one a job that ended or began, one a second
    most = 2 * JOBS + seconds + 5
    assert (looks < most) == mended, f"{looks} looks in {seconds:.0f} s: is the mend still needed?"
