# Job arrays on Slurm: what version 2.8 of the executor gets wrong, mended or refused.

import base64
import json
import os
import sys
import zlib


def become_own_task():
    """In a task of an array, replace this process by the command of the task's own job.

    The executor starts the command of the array's first job in all tasks, and that of their own inside it.
    The outer one then looks for the first job's outputs, and removes them when its own job fails.
    """
    option = "--slurm-jobstep-array-execs="
    commands = [
        word.removeprefix(option) for word in sys.argv if word.startswith(option)
    ]
    if commands:
        # all but the first, whose command this is
        packed = json.loads(base64.b64decode(commands[0])).get(
            os.environ["SLURM_ARRAY_TASK_ID"]
        )
        if packed:
            command = zlib.decompress(bytes.fromhex(packed)).decode()
            os.execvp("sh", ["sh", "-c", command])


become_own_task()


def understand_sacct():
    """Have the executor tell the tasks of an array apart, and see that a job was cancelled.

    It asks `sacct` for raw numbers, by which it knows no task of an array and takes the state of the last one
    for all; and of a cancelled job Slurm says `CANCELLED by <user>`, which it takes for a job under way.
    """
    executor = sys.modules.get("snakemake_executor_plugin_slurm")
    if executor is None or hasattr(executor, "ask_slurm"):
        return
    executor.ask_slurm = executor.query_job_status

    async def query_job_status(command, logger):
        states, seconds = await executor.ask_slurm(
            command.replace("JobIdRaw", "JobID"), logger
        )
        if states is not None:
            states = {job: state.partition(" ")[0] for job, state in states.items()}
        return states, seconds

    executor.query_job_status = query_job_status


understand_sacct()


def refuse_lost_arrays():
    """Stop where job arrays would lose jobs or give them what others of the array asked for.

    The executor never submits what Snakemake hands it of a rule in small portions, and waits for it for ever;
    and it asks for a whole array what its first job asks for.
    """
    settings = workflow.executor_settings
    names = getattr(settings, "array_jobs", None)
    if not names:
        return
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    at_once = {
        "--jobs": workflow.resource_settings.nodes,
        "--max-jobs-per-timespan": getattr(
            workflow.scheduling_settings.max_jobs_per_timespan, "max_jobs", None
        ),
    }
    for option, limit in at_once.items():
        if limit is not None and limit < len(jobs):
            raise WorkflowError(
                f"slurm-array-jobs: {len(jobs)} jobs are planned, {option} lets {limit} through at once: some "
                "would never be submitted. Use --jobs 10000 --max-jobs-per-timespan 10000/1s, or no arrays "
                "(--slurm-array-jobs '')."
            )
    asked = {}
    for job in jobs:
        asks = tuple((name, job.resources.get(name)) for name in ("gpu", "mem_mb"))
        asked.setdefault(job.rule.name, set()).add(asks)
    chosen = {name.strip() for name in names.replace(";", ",").split(",")}
    for name, different in asked.items():
        if len(different) > 1 and chosen & {name, "all"}:
            raise WorkflowError(
                f"slurm-array-jobs: jobs of rule {name} ask for different resources and cannot be one array. "
                "Name other rules."
            )


onstart:
    refuse_lost_arrays()
