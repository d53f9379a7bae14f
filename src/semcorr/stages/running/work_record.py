"""What a job did, beside what Snakemake measures of it: items, bytes and files written, GPU memory.

CPU time and peak memory, too: Snakemake looks at a process twice a second at first, then every 30 s, and
what comes after the last look is missing in its numbers.
"""

import re
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from semcorr.store.files import write_bytes
from semcorr.store.tally import TALLY

# Another column changes no result
VERSION = 1
MEGABYTE = 2**20
# Unit of all that Linux, the only system that the workflow runs on, says of memory
KILOBYTE = 1024
SUFFIX = ".work.tsv"
COLUMNS = ("items", "failed", "items_s", "cpu_s", "peak_mb", "bytes", "files", "gpu_mb")


def record_path(log: Path) -> Path | None:
    """Return results/costs/x.work.tsv for the log results/logs/x.log; None for logs elsewhere."""
    parts = list(Path(log).parts)
    if "logs" not in parts:
        return None
    parts[parts.index("logs")] = "costs"
    return Path(*parts).with_suffix(SUFFIX)


def write_work_record(path: Path, outputs: Iterable[Path]) -> None:
    """Write one row of COLUMNS for this process.

    Args:
        path: where to.
        outputs: files and folders that the job wrote; their sizes are added up.
    """
    sizes = [size for output in outputs for size in _sizes(Path(output))]
    done = (TALLY.items, TALLY.failed, round(TALLY.seconds, 4))
    values = (*done, *cpu_and_peak(), sum(sizes), len(sizes), round(gpu_mb(), 1))
    lines = ("\t".join(COLUMNS), "\t".join(str(value) for value in values))
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def cpu_and_peak() -> tuple[float, float]:
    """Return CPU time (s) of this process and its ended children, and the peak (MB) of the largest."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(u.ru_utime + u.ru_stime for u in used), 4), round(peak_mb(), 1)


def peak_mb() -> float:
    """Return the peak memory (MB) of this process or of its largest ended child."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(_own_peak(), children) * KILOBYTE / MEGABYTE


def _own_peak() -> int:
    # `ru_maxrss` of a process remembers what it was before exec: a copy of its parent, however large
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def gpu_mb() -> float:
    """Return the largest memory that torch has held on one device, MB; 0 where it used none.

    Processes of their own (Blender) are not seen.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0.0
    devices = range(torch.cuda.device_count())
    return max(torch.cuda.max_memory_reserved(device) for device in devices) / MEGABYTE


def _sizes(path: Path) -> list[int]:
    files = path.rglob("*") if path.is_dir() else [path]
    return [file.stat().st_size for file in files if file.is_file()]
