"""Stage `match`: maps of all pairs whose target is in one chunk."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from semcorr.config.load import entry_of
from semcorr.datasets.context import encode
from semcorr.errors import UserError
from semcorr.features.arrays import array_for
from semcorr.matching.surfaces import match_surfaces
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import by_id, pair_id
from semcorr.stages.matched.shape_loader import ShapeLoader
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import Arrays
from semcorr.store.kept import Kept

# Bytes of sources in memory at once: grids of many poses are hundreds of megabytes a shape
SOURCES_KEPT = 1_500_000_000
RAGGED = frozenset({"target_to_source", "source_to_target", "confidence", "info"})


def main(job: StageJob) -> None:
    """Write matches/{method}/{experiment}/{pose}/{chunk}: one item per pair, on sites."""
    cfg = dict(job.cfg)
    pairs = {pair_id(s, t): (s, t) for s, t in _pairs(cfg, job.ids)}
    options = entry_of("methods", cfg)
    match = import_module(f"semcorr.matching.{options.matcher}").match
    array = array_for(options)
    # where only the target's pose is chosen, a source is kept in one pose
    poses = None if getattr(options, "align", "none") == "rotation" else 1
    loader, kept = _loader(job, "source", array, poses), Kept(SOURCES_KEPT, "first")
    load_target = lru_cache(1)(_loader(job, "target", array).load)

    def compute(item_id: str) -> Arrays:
        source, target = pairs[item_id]
        seed = seed_of(cfg["global_seed"], "match", source, target)
        # target by target, over all sources
        shapes = kept.get(source, lambda: loader.load(source)), load_target(target)
        with naming(job.wildcards.get("method", options.matcher)):
            result = match_surfaces(match, *shapes, options, seed)
        return {
            "target_to_source": result.target_to_source,
            "source_to_target": result.source_to_target,
            "confidence": result.confidence.astype(np.float16),
            "info": encode(result.info),
        }

    write_chunk(
        job.chunk_job(
            ids=tuple(sorted(pairs)),
            ragged=RAGGED,
            frame="sites of the meshes: vertices, then samples",
            units="site indices, -1 = none",
        ),
        lambda missing: simple(compute),
        unit="pair",
    )


def _pairs(cfg: dict[str, Any], targets: Iterable[str]) -> list[tuple[str, str]]:
    """Take (source, target) of all pairs out of the options: listed ones, or all with the sources."""
    if "pairs" in cfg:
        return [(source, target) for source, target in cfg.pop("pairs")]
    sources = cfg.pop("sources")
    return [(s, t) for t in targets for s in sources if s != t]


@contextmanager
def naming(method: str) -> Iterator[None]:
    """Put the method before what a matcher says of its options."""
    try:
        yield
    except UserError as error:
        raise UserError(f"methods.{method}.{error}") from None


def _loader(job: StageJob, side: str, array: str | None, poses: int | None = None) -> ShapeLoader:
    """Return the loader of one side ("source" or "target") of the job's pairs."""
    readers = {n: _readers(job, f"{side}_{n}") for n in ("meshes", "features", "voxels")}
    return ShapeLoader(array, poses=poses, **readers)


def _readers(job: StageJob, name: str) -> dict[str, ChunkReader]:
    paths: list[Path] = job.inputs.get(name, [])
    return by_id([ChunkReader(path) for path in paths])


if __name__ == "__main__":
    run_alone(main, main.__doc__)
