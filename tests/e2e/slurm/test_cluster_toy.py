"""Toy jobs on a real Slurm with the profile of the repository: placement, retries, interruptions.

After each test the results are those of a run without Slurm. Every test asks for the few files that it
needs: a job costs two starts of Snakemake.
"""

import re
import subprocess

import harness
import pytest
from cluster_runs import PREPARED, array_options, as_expected, succeeds, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
DOCS = harness.ROOT / "docs/cluster.md"


def attempts(jobs):
    """Return (state, memory, time limit) of every attempt as Slurm writes them."""
    return [(job["JobState"], job["MinMemoryNode"], job["TimeLimit"]) for job in jobs]


def test_gpu_rules_get_one_gpu_of_the_gpu_partition_and_others_none(work, expected_toy):
    run = succeeds(work.submit("results/scores/s0.txt").end())
    jobs = work.jobs_of(run)
    assert [job["rule"] for job in jobs] == ["prepare", "network", "score"]
    for job in jobs:
        is_gpu = job["rule"] == "network"
        assert job.get("TresPerJob") == ("gres:gpu:1" if is_gpu else None), job
        assert job["Partition"] == ("gpu" if is_gpu else "cpu")
        assert job["NumCPUs"] == "1" and job["Requeue"] == "1"
        assert job["JobName"].startswith("semcorr_")
    (prepare,), (network,), (score,) = map(work.seen, ("prepare-s0", "network-s0", "score-s0"))
    assert network["CUDA_VISIBLE_DEVICES"] == "0" and network["SLURMD_NODENAME"] == "gpu1"
    for cpu in (prepare, score):
        assert "CUDA_VISIBLE_DEVICES" not in cpu and cpu["SLURMD_NODENAME"] in ("cpu1", "cpu2")
    made = ("results/prepared/s0.txt", "results/features/s0.txt", "results/scores/s0.txt")
    as_expected(work, expected_toy, *made)


def test_out_of_memory_is_retried_with_twice_as_much(work, expected_toy):
    work.ask("prepare-s0", allocate_mb=1000, sleep=5)
    run = succeeds(work.submit(PREPARED[0]).end())
    first, second = attempts(work.job_of(run, "prepare"))
    # without cgroups, Slurm calls it a failure and says why in the log
    assert first[0] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert first[1:] == ("800M", "00:10:00")
    assert second == ("COMPLETED", "1600M", "00:20:00")
    assert "exceeded memory limit" in run.text  # the job's own log, shown because it failed
    logs = {path.stem for path in work.folder.glob(".snakemake/slurm_logs/rule_prepare/**/*.log")}
    assert logs == {work.job_of(run, "prepare")[0]["JobId"]}  # that of the failed attempt is kept
    as_expected(work, expected_toy, PREPARED[0])


def test_out_of_time_is_retried_with_twice_as_much(work, expected_toy):
    work.write_config({"samples": 2, "minutes": 2})
    work.hold("prepare-s0")
    process = work.submit(PREPARED[0])
    wait_until(
        lambda: [job["JobState"] for job in work.job_of(process, "prepare")][:1] == ["TIMEOUT"],
        "the job was not stopped",
    )
    work.let_go("prepare-s0")
    run = succeeds(process.end())
    first, second = attempts(work.job_of(run, "prepare"))
    assert first == ("TIMEOUT", "800M", "00:02:00")
    assert second == ("COMPLETED", "1600M", "00:04:00")
    as_expected(work, expected_toy, PREPARED[0])


def test_a_cancelled_job_is_submitted_again(work, expected_toy):
    work.hold("prepare-s0")
    process = work.submit(PREPARED[0])
    work.wait_for("prepare-s0")
    (job,) = work.job_of(process, "prepare")
    work.cluster.tell("scancel", job["JobId"])
    work.let_go("prepare-s0")
    run = succeeds(process.end())
    states = [job["JobState"] for job in work.job_of(run, "prepare")]
    assert states == ["CANCELLED", "COMPLETED"]
    as_expected(work, expected_toy, PREPARED[0])


def test_a_job_pushed_off_its_node_comes_back(work, expected_toy):
    """Preemption: Slurm puts the job back into the queue; Snakemake waits and counts no failure."""
    work.hold("prepare-s0")
    process = work.submit(PREPARED[0])
    work.wait_for("prepare-s0")
    (begun,) = work.seen("prepare-s0")
    urgent = ("sbatch", "--parsable", "-p", "urgent", "--mem=100", "-o", "/dev/null", "-t", "10")
    node = begun["SLURMD_NODENAME"]
    number = work.cluster.tell(*urgent, "-w", node, "--wrap", "sleep 5").strip()
    work.wait_for("prepare-s0", times=2)
    work.let_go("prepare-s0")
    run = succeeds(process.end())
    assert "JobState=COMPLETED" in work.cluster.tell("scontrol", "show", "job", "-o", number)
    (job,) = work.jobs_of(run)
    assert job["Restarts"] == "1" and attempts([job]) == [("COMPLETED", "800M", "00:10:00")]
    as_expected(work, expected_toy, PREPARED[0])


def test_a_node_drained_in_the_middle(work, expected_toy):
    """What runs there ends there; nothing else is sent to it, and the run goes on elsewhere."""
    work.write_config({"samples": 3, "minutes": 10})
    work.hold("prepare-s0", "prepare-s1", "prepare-s2")
    process = work.submit(*PREPARED[:3])
    names = [f"prepare-s{number}" for number in range(3)]
    wait_until(lambda: sum(bool(work.seen(n)) for n in names) == 2, "two nodes are not busy")
    waiting = next(name for name in names if not work.seen(name))
    drained, kept = (work.seen(name)[0]["SLURMD_NODENAME"] for name in names if name != waiting)
    try:
        work.cluster.tell("scontrol", "update", f"nodename={drained}", "state=drain", "reason=test")
        assert work.cluster.state_of(drained) == "draining"
        work.let_go(*names)
        run = succeeds(process.end())
        assert work.cluster.state_of(drained) == "drained"
    finally:
        work.cluster.tell("scontrol", "update", f"nodename={drained}", "state=resume")
    assert [job["JobState"] for job in work.jobs_of(run)] == ["COMPLETED"] * 3
    assert work.seen(waiting)[0]["SLURMD_NODENAME"] == kept
    as_expected(work, expected_toy, *PREPARED[:3])


def test_a_node_that_fails_in_the_middle(work, expected_toy):
    """Slurm requeues what ran there; Snakemake waits for it and counts no failure."""
    work.hold("prepare-s0")
    process = work.submit(PREPARED[0])
    work.wait_for("prepare-s0")
    node = work.seen("prepare-s0")[0]["SLURMD_NODENAME"]
    try:
        work.cluster.tell("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        work.wait_for("prepare-s0", times=2)
        work.let_go("prepare-s0")
        run = succeeds(process.end())
    finally:
        work.cluster.tell("scontrol", "update", f"nodename={node}", "state=resume")
    assert work.seen("prepare-s0")[1]["SLURMD_NODENAME"] != node
    (job,) = work.jobs_of(run)
    assert job["Restarts"] == "1" and attempts([job]) == [("COMPLETED", "800M", "00:10:00")]
    as_expected(work, expected_toy, PREPARED[0])


def console_lines(heading):
    """Return the commands of the first console block below a heading of docs/cluster.md."""
    section = DOCS.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    block = re.search(r"```console\n(.*?)```", section, re.S).group(1)
    return [line.removeprefix("$ ") for line in block.splitlines()]


def test_snakemake_killed_and_started_again_as_the_documentation_says(work, expected_toy):
    work.hold("network-s0")
    target = "results/features/s0.txt"
    process = work.submit(target)
    work.wait_for("network-s0")
    process.kill()
    assert work.job_of(process, "network")[0]["JobState"] == "RUNNING"

    refused = work.submit(target).end()
    assert refused.code != 0 and "--unlock" in refused.text and work.jobs_of(refused) == []

    cancel, unlock, again = console_lines("After a kill of Snakemake")
    assert again == "snakemake --profile slurm results/coseg/chair.json"
    for line in (cancel, unlock):
        subprocess.run(line, shell=True, cwd=work.folder, env=work.variables(), check=True)
    wait_until(
        lambda: work.job_of(process, "network")[0]["JobState"] == "CANCELLED",
        "the documented line cancelled nothing",
    )
    work.let_go("network-s0")
    run = succeeds(work.submit(target).end())
    assert [job["rule"] for job in work.jobs_of(run)] == ["network"], "work was done twice"
    as_expected(work, expected_toy, PREPARED[0], target)


def test_two_invocations_at_once(work, expected_toy):
    work.hold("prepare-s0")
    first = work.submit(PREPARED[0])
    work.wait_for("prepare-s0")
    second = work.submit(PREPARED[0]).end()
    assert second.code != 0 and work.jobs_of(second) == []
    assert "Directory cannot be locked" in second.text
    assert "no other Snakemake process" in " ".join(second.text.split())
    assert first.is_running()
    work.let_go("prepare-s0")
    run = succeeds(first.end())
    assert [job["JobState"] for job in work.jobs_of(run)] == ["COMPLETED"]
    as_expected(work, expected_toy, PREPARED[0])


def test_job_arrays(work, expected_toy):
    """A task that is cancelled takes nothing with it, and is submitted again alone."""
    work.write_config({"samples": 3, "minutes": 10})
    names = [f"prepare-s{number}" for number in range(3)]
    work.hold(*names)
    process = work.submit(*PREPARED[:3], *array_options("prepare"))
    wait_until(lambda: sum(bool(work.seen(n)) for n in names) == 2, "two nodes are not busy")
    tasks = {work.task_of(process, name): name for name in names if work.seen(name)}
    first, other = sorted(tasks)
    work.let_go(tasks[first])
    made = work.folder / f"results/prepared/{tasks[first].removeprefix('prepare-')}.txt"
    wait_until(made.exists, "the first task made nothing")
    work.cluster.tell("scancel", other)
    work.let_go(*set(names) - {tasks[first]})
    run = succeeds(process.end())
    *jobs, again = work.job_of(run, "prepare")
    assert {job["ArrayJobId"] for job in jobs} == {first.split("_")[0]}
    assert sorted(job["ArrayTaskId"] for job in jobs) == ["1", "2", "3"]
    assert sorted(job["JobState"] for job in jobs) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert "ArrayJobId" not in again and attempts([again]) == [("COMPLETED", "1600M", "00:20:00")]
    as_expected(work, expected_toy, *PREPARED[:3])
