"""`pair` from two files to the page: two procedural chairs of about 20 000 vertices each.

Runs `snakemake pair` as a user does, in a temporary folder, with the embedded configuration, offline.
Prints the wall-clock seconds of the whole command (start of Snakemake included), its CPU seconds,
the peak memory of its largest process, and what the method found of itself. Weights come from
SEMCORR_MIRROR or from those that are shipped; where there are none, it says so and ends with 0.

    SEMCORR_MIRROR=<folder with the weights> python benchmarks/pair.py
    python benchmarks/pair.py --method guided_tiny --vertices 5000 --threads 2
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import trimesh
import yaml

from semcorr.assets.table import asset_keys, repository_root
from semcorr.config.load import validate
from semcorr.datasets.procedural import generate
from semcorr.errors import UserError
from semcorr.stages.one_pair.method import PairMethods
from semcorr.stages.running.job import Runtime

METHODS = ("guided_mobilenetv2", "guided_tiny")
CONFIG = repository_root() / "config/config.yaml"


def first_with_weights(methods: tuple[str, ...], folder: Path) -> tuple[str | None, list[str]]:
    """Return the first method whose weights are here, and what the ones before it lack."""
    config = validate(yaml.safe_load(CONFIG.read_text()), asset_keys())
    found = PairMethods(config, Runtime(offline=True), folder / "results")
    lacks = []
    for method in methods:
        try:
            return found.choose(method).name, lacks
        except UserError as error:
            lacks.append(f"{method}: {error}")
    return None, lacks


def subdivided_chair(index: int, vertices: int) -> trimesh.Trimesh:
    """Return a chair whose longest edges were halved until it has at least so many vertices."""
    mesh = generate("chair", 5, index).mesh
    corners, faces = np.array(mesh.vertices), np.array(mesh.faces)
    while len(corners) < vertices:
        edges = np.linalg.norm(corners[faces] - corners[np.roll(faces, 1, axis=1)], axis=2)
        longest = edges.max(axis=1)
        # what one pass may add is known, so that it ends near the number asked for
        worst = np.argsort(-longest)[: max(1, (vertices - len(corners)) // 2)]
        corners, faces = trimesh.remesh.subdivide(corners, faces, face_index=worst)
    return trimesh.Trimesh(corners, faces, process=False)


def run(folder: Path, method: str, threads: int) -> tuple[float, float]:
    """Match the two files once; return wall-clock and CPU seconds."""
    command = [sys.executable, "-m", "snakemake", "-s", str(repository_root() / "Snakefile")]
    command += ["-c", str(threads), "pair", "--config", "source=a.ply", "target=b.ply"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, f"method={method}", "out=done", "offline=true"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=METHODS, help="default: the first with weights")
    parser.add_argument("--vertices", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pair") as name:
        folder = Path(name)
        asked = (arguments.method,) if arguments.method else METHODS
        method, lacks = first_with_weights(asked, folder)
        if method is None:
            print("not measured: no weights of", " or ".join(asked))
            print("\n".join(f"  {line}" for line in lacks))
            return
        (folder / "config").mkdir()
        (folder / "config/config.yaml").write_text(CONFIG.read_text())
        sizes = []
        for index, file in enumerate(("a.ply", "b.ply")):
            mesh = subdivided_chair(index, arguments.vertices)
            mesh.export(folder / file)
            sizes.append(len(mesh.vertices))
        times = [run(folder, method, arguments.threads) for _ in range(arguments.repeats)]
        wall, cpu = (statistics.median(t[k] for t in times) for k in (0, 1))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        scores = json.loads((folder / "done/scores.json").read_text())
    print(
        f"pair, {method}, {sizes[0]} and {sizes[1]} vertices, {arguments.threads} thread(s): "
        f"{wall:.1f} s, {cpu:.1f} s of CPU, peak {peak:.0f} MB; matched {scores['matched']:.3f}, "
        f"mean confidence {scores['mean_confidence']:.3f}"
    )


if __name__ == "__main__":
    main()
