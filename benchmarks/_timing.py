"""What the benchmarks measure time with."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def timed(
    function: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, Any]:
    """Return the median seconds of some calls, and the answer of the last.

    With `time.process_time` as the clock, other work on the machine does not count.
    """
    seconds = []
    for _ in range(repeats):
        start = clock()
        answer = function()
        seconds.append(clock() - start)
    return statistics.median(seconds), answer
