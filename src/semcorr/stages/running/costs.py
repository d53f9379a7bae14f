"""What every job cost, merged into one table, and its sums."""

import csv
import io
import logging
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from semcorr.stages.running import work_record
from semcorr.store.files import write_bytes

log = logging.getLogger(__name__)

# Column of Snakemake's benchmark file -> ours
MEASURED = {
    "s": "wall_s",
    "cpu_time": "cpu_s",
    "max_rss": "peak_mb",
    "io_in": "read_mb",
    "io_out": "written_mb",
}
NUMBERS = tuple(dict.fromkeys((*MEASURED.values(), *work_record.COLUMNS)))
SCHEMA = pa.schema(
    [("stage", pa.string()), ("variant", pa.string()), ("chunk", pa.string())]
    + [(name, pa.float64()) for name in NUMBERS]
)
_UNKNOWN = float("nan")
SUMMED = ("wall_s", "cpu_s", "items", "failed", "items_s", "bytes", "files")
LARGEST = ("peak_mb", "gpu_mb")
# Of the table for readers: sums, then what one item took
PER_ITEM = {"wall_s_per_item": "wall_s", "cpu_s_per_item": "cpu_s", "bytes_per_item": "bytes"}


def read_costs(results: Path) -> list[dict]:
    """Return one row per job: stage, variant, chunk and NUMBERS (NaN = unknown).

    wall_s, read_mb and written_mb are Snakemake's measurements; cpu_s and peak_mb (children included)
    the larger of its and ours, since it looks only now and then; items and failed (computed by this job),
    items_s (what they took without start and packing), bytes and files (of its outputs) and gpu_mb are
    our own.
    """
    rows = []
    root = Path(results) / "costs"
    for path in sorted(root.rglob("*.tsv")):
        if path.name.endswith(work_record.SUFFIX):
            continue
        parts = path.relative_to(root).with_suffix("").parts
        place = {"stage": parts[0], "variant": "/".join(parts[1:-1]), "chunk": parts[-1]}
        work = (_records(path.with_suffix(work_record.SUFFIX)) or [{}])[-1]
        for record in _records(path):
            numbers = {new: _number(record.get(old)) for old, new in MEASURED.items()}
            for name in work_record.COLUMNS:
                found = (_number(work.get(name)), numbers.get(name, _UNKNOWN))
                numbers[name] = max((n for n in found if n == n), default=_UNKNOWN)
            rows.append(place | numbers)
    return rows


def write_costs(results: Path) -> Path:
    """Write results/costs.parquet; it changes with every run and is no input of any rule."""
    table = pa.Table.from_pylist(read_costs(results), schema=SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    path = Path(results) / "costs.parquet"
    write_bytes(path, sink.getvalue().to_pybytes())
    return path


def by_stage(rows: Iterable[dict]) -> dict[str, dict[str, float]]:
    """Return {stage: jobs, SUMMED and LARGEST}; what is unknown counts as 0."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        total = found.setdefault(
            row["stage"], {"jobs": 0} | dict.fromkeys((*SUMMED, *LARGEST), 0.0)
        )
        total["jobs"] += 1
        for name in SUMMED:
            total[name] += _known(row[name])
        for name in LARGEST:
            total[name] = max(total[name], _known(row[name]))
    return found


def stage_table(stages: dict[str, dict[str, float]]) -> str:
    """Return the sums of `by_stage` as CSV: a row per stage, and what one item took where there are any."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["stage", "jobs", *SUMMED, *LARGEST, *PER_ITEM])
    for stage, total in stages.items():
        each = [
            f"{total[name] / total['items']:.4g}" if total["items"] else ""
            for name in PER_ITEM.values()
        ]
        sums = [f"{total[name]:.10g}" for name in ("jobs", *SUMMED, *LARGEST)]
        writer.writerow([stage, *sums, *each])
    return out.getvalue()


def _records(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="") as handle:
            return list(csv.DictReader(handle, delimiter="\t"))
    except FileNotFoundError:
        return []


def _number(text: str | None) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return _UNKNOWN  # "-" and "NA": the job was too short to be measured


def _known(value: float) -> float:
    return value if value == value else 0.0
