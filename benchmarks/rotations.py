"""What the searches for a yaw and for a rotation gain and cost, on some shapes of an experiment.

    OMP_NUM_THREADS=1 python benchmarks/rotations.py
    SEMCORR_DATA=... SEMCORR_MIRROR=... python benchmarks/rotations.py animals_rotations \
        --methods spatial_rotation guided_mobilenetv2 guided_mobilenetv2_rotation

Reads config/config.yaml and config/presets/rotations.yaml; everything is done in this process. Some shapes
of the category are matched with the first of them as sources, in every pose; scores are those of the
workflow. Views are ray cast. Seconds are CPU time.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import yaml

from semcorr.assets.table import asset_keys
from semcorr.config.load import validate
from semcorr.config.root import Config
from semcorr.datasets.context import DatasetContext, truth_to_arrays
from semcorr.datasets.members import read_members
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.matching.surfaces import match_surfaces
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import PosePairs, pair_id
from semcorr.stages.one_pair.memory_chain import MemoryChain
from semcorr.stages.one_pair.method import PairMethods
from semcorr.stages.running.job import Runtime
from semcorr.store.memory import MemoryReader

ROOT = Path(__file__).resolve().parent.parent
SCORES = {"coseg": "mean_iou", "keypoints": "acc_010"}
# they need no weights but those of the repository
METHODS = (
    "spatial",
    "spatial_yaw",
    "spatial_rotation",
    "hnsr_tiny",
    "hnsr_tiny_yaw",
    "hnsr_tiny_rotation",
)


class Chunk(MemoryReader):
    """Items in memory that scoring can read as it reads a chunk."""

    @property
    def manifest(self) -> SimpleNamespace:
        """What scoring reads of a manifest."""
        rows = {name: SimpleNamespace(id=name, status="ok", reason="") for name in self.items}
        return SimpleNamespace(rows=list(rows.values()), by_id=rows)


def merged(base: dict, more: dict) -> dict:
    """Return base with the entries of more, dicts inside each other merged."""
    found = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


def configuration() -> Config:
    files = (ROOT / "config/config.yaml", ROOT / "config/presets/rotations.yaml")
    first, second = (yaml.safe_load(path.read_text()) for path in files)
    return validate(merged(first, second), asset_keys())


def shapes_of(config: Config, dataset: str, ids: list[str]) -> tuple[Chunk, Chunk]:
    """Return meshes and ground truth of items of a data set."""
    entry = config.datasets[dataset]
    options = entry.model_dump(mode="json", by_alias=True)
    raw = {name: e.model_dump(mode="json", by_alias=True) for name, e in config.datasets.items()}
    readers = {}
    if entry.kind == "turned":
        readers = dict(zip(("meshes", "truth"), shapes_of(config, entry.from_, ids), strict=True))
    context = DatasetContext(options, config.seed, options, read_members(raw, dataset), **readers)
    module = import_module(f"semcorr.datasets.{entry.kind}")
    load = module.open_meshes(context)
    meshes = Chunk({i: to_arrays(*load(i), config.seed, i) for i in ids})
    if entry.kind != "turned":
        context = DatasetContext(options, config.seed, options, context.members, meshes=meshes)
    truth = module.open_truth(context)
    return meshes, Chunk({i: truth_to_arrays(truth(i)) for i in ids})


def ids_of(config: Config, experiment, count: int) -> list[str]:
    """Return the sources that the experiment names, then the first ids of its category."""
    dataset = next(iter(experiment.poses.values()))
    raw = {name: e.model_dump(mode="json", by_alias=True) for name, e in config.datasets.items()}
    members = read_members(raw, dataset).values()
    named = experiment.sources if isinstance(experiment.sources, tuple) else ()
    rest = sorted(m.id for m in members if m.category == experiment.category)
    step = max(1, len(rest) // count)
    return list(dict.fromkeys([*named, *rest[::step], *rest]))[:count]


def run(arguments: argparse.Namespace) -> Iterator[dict]:
    """Yield one record per pose and method."""
    config = configuration()
    task = next(t for t in SCORES if arguments.experiment in getattr(config, t))
    experiment = getattr(config, task)[arguments.experiment]
    ids = ids_of(config, experiment, arguments.shapes)
    pairs = [(s, t) for s in ids[: arguments.sources] for t in ids if s != t]
    runtime = Runtime(device="cpu")
    weights = PairMethods(config, runtime, arguments.results)
    scorer = import_module(f"semcorr.stages.scores.{task}")
    for pose in arguments.poses or experiment.poses:
        meshes, truth = shapes_of(config, experiment.poses[pose], ids)
        with MemoryChain(config, runtime, weights.weights) as chain:
            chain.take(meshes.items)
            for name in arguments.methods:
                method = weights.choose(name).entry
                start = time.process_time()
                shapes = {i: chain.shape(method, i) for i in ids}
                ready = time.process_time()
                match = import_module(f"semcorr.matching.{method.matcher}").match
                found = {}
                for source, target in pairs:
                    seed = seed_of(config.seed, "match", source, target)
                    result = match_surfaces(match, shapes[source], shapes[target], method, seed)
                    maps = {n: getattr(result, n) for n in ("target_to_source", "source_to_target")}
                    found[pair_id(source, target)] = maps
                took = time.process_time() - ready
                cfg = {"global_seed": config.seed, "category": experiment.category, "votes": ()}
                scores = scorer.score(PosePairs([Chunk(found)], [meshes], [truth]), cfg)
                yield {
                    "experiment": arguments.experiment,
                    "pose": pose,
                    "method": name,
                    "score": scores[SCORES[task]],
                    "ci95": scores["ci95"],
                    "pairs": len(pairs),
                    "seconds_per_pair": took / len(pairs),
                    "seconds_per_shape": (ready - start) / len(ids),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "experiment", nargs="?", default="procedural_rotations", help="of the preset"
    )
    parser.add_argument("--shapes", type=int, default=6)
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--poses", nargs="+", help="of the experiment; all of them by default")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="of the configuration")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "results", help="assets are put there"
    )
    for record in run(parser.parse_args()):
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
