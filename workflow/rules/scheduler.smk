# What version 9.27 of Snakemake's scheduler gets wrong, mended.
import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def plan_one_look(scheduler, delay):
    """Have the scheduler look at the jobs that are ready in some seconds, unless it is going to anyhow.

    For its limit of jobs per time span the scheduler plans another look a second after every look at ready
    jobs, also after those that were planned. Every job that ends adds one more that never stops: after a
    hundred jobs it looks a hundred times a second, and takes a core until nothing waits any more.
    """
    planned = vars(scheduler).setdefault("planned_looks", set())
    if delay in planned:
        return

    def look():
        planned.discard(delay)
        scheduler._open_jobs.release()

    planned.add(delay)
    threading.Timer(delay, look).start()


JobScheduler._schedule_reevalutation = plan_one_look
