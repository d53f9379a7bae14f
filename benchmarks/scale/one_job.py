"""What one small job of a large set costs on a node: two Snakemakes and a script that computes nothing.

    python benchmarks/scale/one_job.py [OBJECTS:CHUNKS ...]

`snakemake --profile slurm results/meshes/objaverse_chairs/<chunk>.json` of the preset, with a stub in place
of Slurm's tools; then the very command that was handed to sbatch for the job of rule `meshes`, measured: wall
and CPU time, the largest process, and the most that all its processes held together, which is what Slurm
compares with `mem_mb`. Ends with an error where that is more than the rule asks for.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from plan import SIZES, options

import harness  # isort: skip
import simulation  # isort: skip

TOOLS = ("sbatch", "squeue", "srun", "sacct", "scancel", "sinfo", "scontrol")
MESHES_MB = 2000  # what rule `meshes` asks for


@dataclass(frozen=True)
class Used:
    """Wall and CPU time (s); the largest process and all together (MB)."""

    wall_s: float
    cpu_s: float
    largest_mb: float
    together_mb: float


def tree_mb(root: int) -> list[float]:
    """Return the memory (MB) that each process of a tree holds now."""
    parents, held = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            parents[int(entry.name)] = int(fields[1])
            held[int(entry.name)] = int(fields[21]) * resource.getpagesize() / 2**20
    inside = {root}
    while more := {p for p, parent in parents.items() if parent in inside} - inside:
        inside |= more
    return [held[p] for p in inside if p in held]


def measured(command: list[str], folder: Path, variables: dict[str, str], makes: Path) -> Used:
    """Run a command that makes a file to its end, looking at its processes 20 times a second."""
    largest, together, start = 0.0, 0.0, time.monotonic()
    with tempfile.TemporaryFile("w+") as text:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=text, stderr=text)
        ended: list = []
        waiting = threading.Thread(target=lambda: ended.append(os.wait4(process.pid, 0)))
        waiting.start()
        while waiting.is_alive():
            found = tree_mb(process.pid)
            largest, together = max([largest, *found]), max(together, sum(found))
            waiting.join(0.05)
        _, status, used = ended[0]
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or not makes.exists():
            text.seek(0)
            raise SystemExit(f"{text.read()[-3000:]}\nended with {process.returncode}")
    return Used(
        time.monotonic() - start,
        used.ru_utime + used.ru_stime,
        largest,  # not ru_maxrss, which remembers the size of the process that started it
        together,
    )


def install(place: Path, objects: int) -> tuple[Path, dict[str, str]]:
    """Return a checkout with stub stages, a list and a stub of Slurm, and its environment."""
    work = harness.copy_repository(place / "work")
    simulation.install(work)
    simulation.write_list(work / "objaverse_chairs.csv", range(objects))
    (place / "bin").mkdir()
    (place / "slurm").mkdir()
    for name in TOOLS:
        (place / "bin" / name).symlink_to(Path(harness.__file__).with_name("stub_slurm.py"))
    variables = harness.Work(work, work).variables() | {
        "PATH": f"{place / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STUB_SLURM": str(place / "slurm"),
        "HOME": str(place),
    }
    return work, variables


def job_of(place: Path, objects: int, chunks: int) -> tuple[Used, Used]:
    """Return what Snakemake on the login node cost for one target, and what its job of `meshes` did."""
    work, variables = install(place, objects)
    chunk = simulation.chunk_of(0, chunks)
    target = f"results/meshes/objaverse_chairs/{chunk}.json"
    made = work / target
    quick = ["--slurm-init-seconds-before-status-checks", "1"]
    words = ["--profile", "slurm", target, *options(chunks), "offline=true"]
    login = measured([sys.executable, "-m", "snakemake", *words, *quick], work, variables, made)
    calls = [json.loads(line) for line in (place / "slurm/calls.jsonl").read_text().splitlines()]
    (command,) = (call["command"] for call in calls if call["rule"] == "meshes")
    made.unlink()
    shutil.rmtree(made.with_suffix(".zarr"))
    # folders of the Snakemake that submitted it, which has ended: a job waits for them
    for folder in re.findall(r"/\S*/tmp[._]\w+", command):
        Path(folder).mkdir(parents=True, exist_ok=True)
    job = variables | {"SLURM_JOB_ID": "1", "SLURM_JOBID": "1"}
    return login, measured(["sh", "-c", command], work, job, made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="OBJECTS:CHUNKS")
    sizes = [tuple(map(int, size.split(":"))) for size in parser.parse_args().sizes]
    print("| objects | chunks | of | wall s | CPU s | largest process, MB | together, MB |")
    print("|---" * 7 + "|", flush=True)
    too_large = []
    for objects, chunks in sizes:
        with tempfile.TemporaryDirectory() as place:
            login, job = job_of(Path(place), objects, chunks)
        for name, used in (("login node", login), ("a job", job)):
            print(
                f"| {objects} | {chunks} | {name} | {used.wall_s:.1f} | {used.cpu_s:.1f} |"
                f" {used.largest_mb:.0f} | {used.together_mb:.0f} |",
                flush=True,
            )
        if job.together_mb > MESHES_MB:
            too_large.append(f"{objects} objects: {job.together_mb:.0f} MB > {MESHES_MB}")
    if too_large:
        raise SystemExit(f"a job of `meshes` needs more than it asks for: {'; '.join(too_large)}")


if __name__ == "__main__":
    main()
