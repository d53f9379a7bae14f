"""Stage `match`: maps of all pairs whose target is in one chunk."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from semcorr.config.load import entry_of
from semcorr.datasets.context import encode
from semcorr.errors import ItemError, UserError
from semcorr.features.arrays import SITES, array_for
from semcorr.geometry.mesh_arrays import SITE_ARRAYS, sites_of
from semcorr.geometry.voxels import split_yaws
from semcorr.matching.shape import Shape
from semcorr.seeds import seed_of
from semcorr.stages.job import StageJob, run_alone
from semcorr.stages.pose_pairs import pair_id
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import Arrays

RAGGED = frozenset({"target_to_source", "source_to_target", "confidence", "info"})


def main(job: StageJob) -> None:
    """Write matches/{method}/{experiment}/{pose}/{chunk}: one item per pair, on sites."""
    cfg = dict(job.cfg)
    sources = cfg.pop("sources")
    options = entry_of("methods", cfg)
    match = import_module(f"semcorr.matching.{options.matcher}").match
    array = array_for(options)
    # all sources stay in memory: where only the target's pose is chosen, in one pose
    poses = None if getattr(options, "align", "none") == "rotation" else 1
    load_source = lru_cache(len(sources))(ShapeLoader(job, "source", array, poses).load)
    load_target = lru_cache(1)(ShapeLoader(job, "target", array).load)
    pairs = {pair_id(s, t): (s, t) for t in job.ids for s in sources if s != t}

    def compute(item_id: str) -> Arrays:
        source, target = pairs[item_id]
        seed = seed_of(cfg["global_seed"], "match", source, target)
        shapes = load_source(source), load_target(target)
        with naming(job.wildcards.get("method", options.matcher)):
            result = match(*shapes, options, seed)
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


@contextmanager
def naming(method: str) -> Iterator[None]:
    """Put the method before what a matcher says of its options."""
    try:
        yield
    except UserError as error:
        raise UserError(f"methods.{method}.{error}") from None


class ShapeLoader:
    """Loads one side of a pair from the chunks that hold it.

    Args:
        job: its inputs.
        side: "source" or "target".
        array: of the features that the method reads, None for none.
        poses: how many poses of grids are kept, None for all.
    """

    def __init__(self, job: StageJob, side: str, array: str | None, poses: int | None = None):
        self._array = array
        self._poses = poses
        self._meshes = _readers(job, f"{side}_meshes")
        self._features = _readers(job, f"{side}_features")
        self._voxels = _readers(job, f"{side}_voxels")

    def load(self, item_id: str) -> Shape:
        """Return the shape; raise ItemError (upstream_failed) when a part of it is missing."""
        sites = sites_of(_read(self._meshes, item_id, SITE_ARRAYS))
        rest = {}
        if self._array:
            values = _read(self._features, item_id, (self._array,))[self._array]
            # grids of many poses stay as they are stored: matchers widen those that they compare
            if self._array == SITES:
                rest[SITES] = values.astype(np.float32)
            else:
                # a view would hold on to all of them
                rest["grids"] = values if self._poses is None else values[: self._poses].copy()
        if "grids" in rest:
            voxels = _read(self._voxels, item_id)
            rest["voxels"] = tuple(split_yaws(voxels))[: self._poses]
            rest["turned_from_world"] = voxels["turned_from_world"][: self._poses]
            rest["voxel_resolution"] = _resolution(self._voxels)
        return Shape(sites.positions, sites.num_vertices, name=item_id, **rest)


def _resolution(readers: Iterable[ChunkReader]) -> int:
    return next(iter(readers)).attributes["cfg"]["resolution"]


def _readers(job: StageJob, name: str) -> list[ChunkReader]:
    paths: list[Path] = job.inputs.get(name, [])
    return [ChunkReader(path) for path in paths]


def _read(readers: list[ChunkReader], item_id: str, names=None) -> Arrays:
    for reader in readers:
        if item_id in reader.manifest.by_id:
            return reader.read(item_id, names)
    raise ItemError(f"{item_id} is in none of the chunks", "upstream_failed")


if __name__ == "__main__":
    run_alone(main, main.__doc__)
