"""Threads of native code, whose number is settled once: when BLAS and OpenMP are loaded."""

import os
import sys

# Those that Snakemake sets for its jobs
VARIABLES = (
    *("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


def settle_threads(count: int) -> None:
    """Begin this command anew, once, with so many threads for native code, as a workflow starts its jobs.

    Sums in another order have other last digits. A stage has loaded its libraries before it knows how many
    threads it may use, so that setting the variables now would change nothing here. Where OMP_NUM_THREADS
    is set, by Snakemake or by the user, everything stays as it is.

    Args:
        count: threads.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    environment = os.environ | dict.fromkeys(VARIABLES, str(count))
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
