"""What a piece of work cost, written where Snakemake leaves its own measurements.

For `pair`: a rule with a benchmark file would not run a second time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semcorr.stages.running.work_record import cpu_and_peak
from semcorr.store.files import write_bytes


@contextmanager
def cost_record(path: Path) -> Iterator[None]:
    """Measure the block and write wall time, CPU time (s) and peak memory (MB) when it succeeds.

    The peak is that of the process so far: of several blocks, the later ones may have needed less.
    """
    wall, (cpu, _) = time.monotonic(), cpu_and_peak()
    yield
    cpu_now, peak = cpu_and_peak()
    values = (time.monotonic() - wall, cpu_now - cpu, peak)
    row = "\t".join(f"{value:.4f}" for value in values)
    write_bytes(Path(path), f"s\tcpu_time\tmax_rss\n{row}\n".encode())
