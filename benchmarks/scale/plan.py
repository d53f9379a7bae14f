"""What planning a large set costs: time, memory, jobs; and what the set itself would, by measured costs.

    python benchmarks/scale/plan.py [OBJECTS:CHUNKS | LIST:CHUNKS ...]

A dry run of `results/coseg/objaverse_chairs.json` of the preset, from an empty folder, over a list of so many
made-up objects, or over a list that is there (`.xz` is unpacked), all of them called chairs: nothing is
computed, and nothing of the workflow is replaced. Times are CPU time of the one process. Core hours, bytes
and folders come from `stage_costs.csv`, files from the limit that stores keep. Ends with an error where a
target (`targets.py`) is missed.
"""

import argparse
import lzma
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from stage_costs import read_table
from targets import missed, too_many_files

from semcorr.datasets.object_list import read_rows
from semcorr.store.pack import MAX_FILES

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/workflow"))

import simulation  # noqa: E402

PRESET = "config/presets/objaverse_lvis.yaml"
TARGET = "results/coseg/objaverse_chairs.json"
PUBLISHED = ROOT / "tests/data/objaverse_10k.txt.xz"
# objects and chunks: those of the preset, the list of a paper, as many objects a chunk, then twice as many
SIZES = ("10000:80", f"{PUBLISHED}:80", "100000:800", "800000:3200")
# rule -> (folder under results, variants there that the preset uses)
STAGES = {
    "raw": ("raw", [""]),
    "meshes": ("meshes", [""]),
    "truth": ("truth", [""]),
    "render": ("renders", ["rig18"]),
    "feature": ("features", ["lifted_dinov2_s"]),
    "match": ("matches", ["spatial", "guided_dinov2_s"]),
}
# Manifest, log, costs, record of the work, Snakemake's time stamp, and its own record of two outputs
FILES_BESIDE_A_STORE = 7
# `raw` keeps its last finished store once more, hidden, with its manifest: links, so names without inodes
KEPT = {"raw": MAX_FILES + 1}
# CPU time of both Snakemakes of a job on the cluster and of its script's start (`one_job.py`)
START_S = 5.0
# Rules that are submitted as arrays where the profile's lines for it are used, and tasks of one array
ARRAYS = ("raw", "meshes", "truth", "feature", "match")
ARRAY_LIMIT = 50
# Runs where Snakemake runs
LOCAL = ("table", "total")


@dataclass(frozen=True)
class Planned:
    """A dry run: CPU and wall time (s), peak memory (MB), jobs by rule."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    jobs: dict[str, int]


def snakemake(folder: Path, *arguments: str, snakefile: Path = ROOT / "Snakefile") -> Planned:
    """Run Snakemake in a folder; stop this program if it fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEMCORR_")}
    environment["PYTHONPATH"] = str(snakefile.parent / "src")
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as text:
        process = subprocess.Popen(
            [*command, *arguments], cwd=folder, env=environment, stdout=text, stderr=text
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        text.seek(0)
        said = text.read()
    if process.returncode:
        raise SystemExit(f"{said[-3000:]}\nsnakemake ended with {process.returncode}")
    return Planned(
        used.ru_utime + used.ru_stime,
        time.monotonic() - start,
        used.ru_maxrss / 1024,
        {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)},
    )


def options(chunks: int) -> list[str]:
    """Return the words after the target: the preset with so many chunks."""
    keys = f"datasets={{objaverse_chairs: {{chunks: {chunks}}}}}"
    return ["--configfile", str(ROOT / PRESET), "--config", keys, "device=cpu"]


def prepare(folder: Path, objects: str | int) -> int:
    """Write what a checkout has beside its Snakefile, and the list of objects; return how many there are.

    Args:
        folder: empty.
        objects: how many to make up, or the path of a list.
    """
    shutil.copytree(ROOT / "config", folder / "config")
    path = folder / "objaverse_chairs.csv"
    if str(objects).isdigit():
        simulation.write_list(path, range(int(objects)))
        return int(objects)
    rows = rows_of(Path(objects), folder)
    lines = (f"{row['id']},{row['path']},chair\n" for row in rows)
    path.write_text("id,path,category\n" + "".join(lines))
    return len(rows)


def rows_of(path: Path, folder: Path) -> list[dict[str, str]]:
    """Read a list; one that is compressed is unpacked into `folder` before."""
    if path.suffix == ".xz":
        unpacked = folder / path.stem
        unpacked.write_bytes(lzma.decompress(path.read_bytes()))
        path = unpacked
    return list(read_rows(str(path)))


def plan(objects: str, chunks: int) -> tuple[int, Planned]:
    """Dry run of everything up to the table; return the number of objects as well."""
    with tempfile.TemporaryDirectory() as folder:
        count = prepare(Path(folder), objects)
        return count, snakemake(Path(folder), TARGET, "-n", "-q", "rules", *options(chunks))


def submissions(jobs: dict[str, int]) -> tuple[int, int]:
    """Return the least (full arrays of ARRAYS) and the most (single jobs) number of calls of sbatch.

    What it is in between depends on how many jobs are ready when Snakemake looks: `submissions.py` counts.
    """
    submitted = {rule: n for rule, n in jobs.items() if rule not in LOCAL}
    least = sum(math.ceil(n / ARRAY_LIMIT) if r in ARRAYS else n for r, n in submitted.items())
    return least, sum(submitted.values())


def predicted(objects: int, chunks: int) -> dict[str, dict[str, float]]:
    """Return {rule: core hours, GB, files and folders} of one experiment with one source."""
    costs = read_table()
    found = {}
    for rule, (stage, variants) in STAGES.items():
        rows = [costs[stage, variant] for variant in variants]
        seconds = sum(objects * r["cpu_s_per_item"] + chunks * r["cpu_s_per_job"] for r in rows)
        found[rule] = {
            "hours": seconds / 3600,
            "minutes_a_job": seconds / 60 / chunks / len(rows),
            "gb": sum(objects * r["bytes_per_item"] for r in rows) / 1e9,
            "files": chunks * len(rows) * (MAX_FILES + FILES_BESIDE_A_STORE + KEPT.get(rule, 0)),
            "folders": chunks * sum(r["folders_per_job"] for r in rows) * (1 + (rule in KEPT)),
        }
    return found


def files_of_stages() -> dict[str, float]:
    """Return the most files that a measured chunk of each stage had, its manifest among them."""
    return {" ".join(place).strip(): row["files_per_job"] for place, row in read_table().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="OBJECTS:CHUNKS")
    asked = [size.rsplit(":", 1) for size in parser.parse_args().sizes]
    sizes = []
    print(
        "| objects | chunks | jobs | planning, CPU s | wall s | peak MB | calls of sbatch | names of files at"
        " most | folders | TB | core hours | starts of jobs, core hours |"
    )
    print("|---" * 12 + "|")
    failed = too_many_files(files_of_stages())
    for what, chunks in ((what, int(chunks)) for what, chunks in asked):
        objects, found = plan(what, chunks)
        sizes.append((objects, chunks))
        stages = predicted(objects, chunks).values()
        names = ("files", "folders", "gb", "hours")
        files, folders, gb, hours = (sum(stage[name] for stage in stages) for name in names)
        least, most = submissions(found.jobs)
        failed += missed(objects, found.cpu_s, found.jobs["total"])
        print(
            f"| {objects} | {chunks} | {found.jobs['total']} | {found.cpu_s:.1f} | {found.wall_s:.1f} |"
            f" {found.peak_mb:.0f} | {least} to {most} | {files:.0f} | {folders:.0f} | {gb / 1e3:.2f} |"
            f" {hours:.0f} | {most * START_S / 3600:.1f} |",
            flush=True,
        )
    print("\n| stage | " + " | ".join(f"{n} objects, h | a job, min" for n, _ in sizes) + " |")
    print("|---" * (1 + 2 * len(sizes)) + "|")
    for rule in STAGES:
        cells = [predicted(*size)[rule] for size in sizes]
        text = " | ".join(f"{cell['hours']:.1f} | {cell['minutes_a_job']:.0f}" for cell in cells)
        print(f"| `{rule}` | {text} |")
    if failed:
        raise SystemExit("targets missed:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
