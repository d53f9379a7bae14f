"""Runs a large set to its table, with stages that compute nothing: what the workflow itself costs.

    python benchmarks/scale/execute.py [--objects 10000] [--chunks 80] [--cores 2] [--keep FOLDER]

The real Snakefile, rules, stores, scores and table of the preset; downloads, meshes, truth, views, features
and maps are written by `tests/workflow/stub_stages.py`. Then it plans again: as it is, and with an object
more. Ends with an error where the table lacks an object or where the plans are others than they should be.
"""

import argparse
import json
import tempfile
from pathlib import Path

from plan import TARGET, Planned, options, snakemake
from targets import missed, too_many_files

import harness  # isort: skip
import simulation  # isort: skip


def run(work: Path, chunks: int, *arguments: str) -> Planned:
    """Run or plan the preset in a copy of the repository."""
    words = [TARGET, *options(chunks), "offline=true", "-q", "rules", *arguments]
    return snakemake(work, *words, snakefile=work / "Snakefile")


def scored(work: Path) -> dict[str, int]:
    """Return {method: targets in the table}."""
    table = json.loads((work / TARGET).read_text())
    return {name: len(m["aligned"]["targets"]) for name, m in table["methods"].items()}


def labelled(work: Path) -> int:
    """Return how many objects have parts, the source left out, as the stub gives them."""
    rows = (work / "objaverse_chairs.csv").read_text().splitlines()[1:]
    ids = sorted(row.split(",")[0] for row in rows)
    from stub_stages import number_of

    return sum(number_of(item_id, 16) > 0 for item_id in ids[1:])


def inodes(work: Path) -> tuple[int, int, int]:
    """Return files and folders of results and records, and the most files of one store."""
    paths = [path for name in ("results", ".snakemake") for path in (work / name).rglob("*")]
    stores = [p for p in paths if p.suffix == ".zarr"]
    most = max(sum(p.is_file() for p in store.rglob("*")) for store in stores)
    return sum(p.is_file() for p in paths), sum(p.is_dir() for p in paths), most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=80)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder to work in, kept; it must not exist")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = harness.copy_repository(chosen.keep or Path(place) / "work")
        simulation.install(work)
        simulation.write_list(work / "objaverse_chairs.csv", range(chosen.objects))
        first = run(work, chosen.chunks, "-n")
        print(
            f"jobs planned: {first.jobs['total']}, {first.cpu_s:.1f} s CPU, {first.peak_mb:.0f} MB"
        )
        if failed := missed(chosen.objects, first.cpu_s, first.jobs["total"]):
            raise SystemExit("\n".join(failed))
        done = run(work, chosen.chunks, "--cores", str(chosen.cores))
        total = first.jobs["total"]
        print(
            f"executed: {done.wall_s:.0f} s wall, {done.cpu_s:.0f} s CPU of Snakemake and its jobs"
            f" ({done.cpu_s / total:.2f} s a job), largest process {done.peak_mb:.0f} MB"
        )
        files, folders, most = inodes(work)
        print(f"results and records: {files} files, {folders} folders; largest store {most} files")
        if failed := too_many_files({"largest store": most}):
            raise SystemExit("\n".join(failed))
        found = scored(work)
        print(f"targets in the table: {found}, labelled objects: {labelled(work)}")
        assert set(found.values()) == {labelled(work)}
        again = run(work, chosen.chunks, "-n")
        print(f"planned again: {again.cpu_s:.1f} s CPU, {again.jobs.get('total', 0)} jobs")
        assert again.jobs.get("total", 0) == 0, again.jobs
        simulation.write_list(work / "objaverse_chairs.csv", range(chosen.objects + 1))
        more = run(work, chosen.chunks, "-n")
        print(f"an object more: {more.cpu_s:.1f} s CPU, jobs {more.jobs}")
        # its chunk of five stages, its maps by two methods, two scores, the table
        assert more.jobs["total"] == 5 + 2 + 2 + 1, more.jobs


if __name__ == "__main__":
    main()
