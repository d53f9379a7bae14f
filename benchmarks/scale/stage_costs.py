"""What one object and one job of each stage cost, from the records of a real run.

    python benchmarks/scale/stage_costs.py results > benchmarks/scale/stage_costs.csv

`results` are those of the preset over a list of 12 objects, whose files lie in a folder in the hub's place:

    SEMCORR_MIRROR=<folder> snakemake -c 1 results/coseg/objaverse_chairs.json --configfile \
        config/presets/objaverse_lvis.yaml --config 'datasets={objaverse_chairs: {chunks: 2}}' device=cpu

Times are CPU time: the share that the items had of a job's wall time is theirs (`items_s`), the rest (start,
networks, packing) is the job's. Snakemake's own start in front of a job is not in it.
"""

import csv
import sys
from pathlib import Path

from semcorr.stages.running.costs import read_costs

COLUMNS = (
    "stage", "variant", "jobs", "items", "cpu_s_per_item", "cpu_s_per_job", "peak_mb",
    "bytes_per_item", "files_per_job", "folders_per_job",
)  # fmt: skip
TABLE = Path(__file__).with_suffix(".csv")


def read_table(path: Path = TABLE) -> dict[tuple[str, str], dict[str, float]]:
    """Return {(stage, variant): numbers} of a table that this script has written."""
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {
        (row["stage"], row["variant"]): {name: float(row[name]) for name in COLUMNS[2:]}
        for row in rows
    }


def variant_of(row: dict) -> str:
    """Return the variant's name: of `features/lifted/chairs/0` the part that names no data set."""
    parts = row["variant"].split("/")
    return parts[0] if len(parts) > 1 else ""


def folders(results: Path, row: dict) -> int:
    """Return how many folders the store of a job is."""
    store = results / row["stage"] / row["variant"] / f"{row['chunk']}.zarr"
    return sum(path.is_dir() for path in (store, *store.rglob("*")))


def summary(results: Path, rows: list[dict]) -> dict[str, float]:
    """Return COLUMNS from `jobs` on, of the jobs of one variant."""
    items = sum(row["items"] for row in rows)
    on_items = sum(row["cpu_s"] * min(1.0, row["items_s"] / row["wall_s"]) for row in rows)
    cpu = sum(row["cpu_s"] for row in rows)
    values = (
        len(rows),
        items,
        on_items / items,
        (cpu - on_items) / len(rows),
        max(row["peak_mb"] for row in rows),
        sum(row["bytes"] for row in rows) / items,
        max(row["files"] for row in rows),
        max(folders(results, row) for row in rows),
    )
    return dict(zip(COLUMNS[2:], values, strict=True))


def main(results: Path) -> None:
    """Print the table of all stages that work on items."""
    jobs: dict[tuple[str, str], list[dict]] = {}
    for row in read_costs(results):
        if row["items"] > 0 and row["cpu_s"] == row["cpu_s"]:
            jobs.setdefault((row["stage"], variant_of(row)), []).append(row)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, rows in jobs.items():
        numbers = (f"{value:.4g}" for value in summary(results, rows).values())
        writer.writerow([*place, *numbers])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
