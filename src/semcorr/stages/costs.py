"""Stage `costs`: what every job cost, merged into one table."""

import csv
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from semcorr.store.files import write_bytes

log = logging.getLogger(__name__)

NUMBERS = {"s": "wall_s", "cpu_time": "cpu_s", "max_rss": "peak_mb", "io_in": "read_mb"}
SCHEMA = pa.schema(
    [("stage", pa.string()), ("variant", pa.string()), ("chunk", pa.string())]
    + [(name, pa.float64()) for name in NUMBERS.values()]
)


def read_costs(results: Path) -> list[dict]:
    """Return one row per job: stage, variant, chunk, wall_s, cpu_s, peak_mb, read_mb (NaN = unknown)."""
    rows = []
    root = Path(results) / "costs"
    for path in sorted(root.rglob("*.tsv")):
        parts = path.relative_to(root).with_suffix("").parts
        with open(path, newline="") as handle:
            for record in csv.DictReader(handle, delimiter="\t"):
                place = {"stage": parts[0], "variant": "/".join(parts[1:-1]), "chunk": parts[-1]}
                rows.append(place | {new: _number(record.get(old)) for old, new in NUMBERS.items()})
    return rows


def write_costs(results: Path) -> Path:
    """Write results/costs.parquet; it changes with every run and is no input of any rule."""
    table = pa.Table.from_pylist(read_costs(results), schema=SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    path = Path(results) / "costs.parquet"
    write_bytes(path, sink.getvalue().to_pybytes())
    return path


def by_stage(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Return {stage: jobs, wall_s, cpu_s, peak_mb} summed (peak: largest)."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        total = found.setdefault(row["stage"], {"jobs": 0, "wall_s": 0, "cpu_s": 0, "peak_mb": 0})
        total["jobs"] += 1
        for name in ("wall_s", "cpu_s"):
            total[name] += row[name] if row[name] == row[name] else 0
        total["peak_mb"] = max(
            total["peak_mb"], row["peak_mb"] if row["peak_mb"] == row["peak_mb"] else 0
        )
    return found


def _number(text: str | None) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")  # "-" and "NA": the job was too short to be measured
