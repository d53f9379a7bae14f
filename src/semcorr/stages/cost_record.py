"""What a piece of work cost, written where Snakemake leaves its own measurements.

For `pair`: a rule with a benchmark file would not run a second time.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semcorr.store.files import write_bytes

# A kilobyte on Linux, the only system that the workflow runs on
RSS_UNIT = 1024
MEGABYTE = 2**20


@contextmanager
def cost_record(path: Path) -> Iterator[None]:
    """Measure the block and write wall time, CPU time (s) and peak memory (MB) when it succeeds.

    The peak is that of the process so far: of several blocks, the later ones may have needed less.
    """
    wall, cpu = time.monotonic(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / MEGABYTE
    values = (time.monotonic() - wall, time.process_time() - cpu, peak)
    row = "\t".join(f"{value:.4f}" for value in values)
    write_bytes(Path(path), f"s\tcpu_time\tmax_rss\n{row}\n".encode())
