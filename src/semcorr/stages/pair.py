"""Stage `pair`: the user's own two meshes, matched, coloured and shown, in one process."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from semcorr.assets.table import asset_keys
from semcorr.config.load import validate
from semcorr.errors import ItemError, UserError
from semcorr.geometry.frames import normalise
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import from_arrays, to_arrays
from semcorr.geometry.reader import read_mesh
from semcorr.matching.surfaces import match_surfaces
from semcorr.seeds import seed_of
from semcorr.stages.match import naming
from semcorr.stages.one_pair.annotations import Annotations, read_annotations
from semcorr.stages.one_pair.memory_chain import MemoryChain
from semcorr.stages.one_pair.method import Choice, PairMethods
from semcorr.stages.one_pair.outputs import PairResult, write_outputs
from semcorr.stages.one_pair.request import PairRequest, check, read_requests
from semcorr.stages.running.cost_record import cost_record
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.items import Arrays

log = logging.getLogger(__name__)

MAX_VERTICES = 200_000


@dataclass(frozen=True)
class LoadedMesh:
    """A mesh as read and as arrays in the world frame."""

    file: Mesh
    arrays: Arrays


@dataclass(frozen=True)
class LoadedPair:
    """A pair whose files have all been read and checked; meshes by side."""

    request: PairRequest
    meshes: dict[str, LoadedMesh]
    annotations: Annotations


def main(job: StageJob) -> None:
    """Match the pairs named in `cfg` and write pairs/{pair}/; the log names each page."""
    for page in match_pairs(job):
        log.info("page: %s", page)


def match_pairs(job: StageJob) -> Iterator[Path]:
    """Yield the page of each pair named in `cfg` as it is done.

    Raises:
        UserError: a wrong request; with a list, after all others are done, that some pairs failed.
    """
    config = validate(job.config, asset_keys())
    requests = read_requests(job.cfg)
    results = Path("results")
    methods = PairMethods(config, job.runtime, results)
    choice = None
    failed = []
    with MemoryChain(config, job.runtime, methods.weights) as chain:
        for request in requests:
            try:
                with cost_record(results / f"costs/pair/{request.name}.tsv"):
                    pair = _load_pair(request, config.seed)
                    if choice is None:  # after the files: weights may have to be fetched
                        choice = _choose(methods, request.method)
                    page = _run(pair, choice, chain, config.seed)
                yield page
            except ItemError as error:
                if len(requests) == 1:
                    raise UserError(str(error)) from None
                log.error("%s: %s", request.label, error)
                failed.append(request.label)
    if failed:
        raise UserError(f"{len(failed)} of {len(requests)} pairs failed: {'; '.join(failed[:5])}")


def load(path: Path, up: str, front: str, seed: int) -> LoadedMesh:
    """Read a mesh for `pair`.

    Raises:
        ItemError: unusable mesh; the message names the file and the remedy.
    """
    try:
        file = read_mesh(path, max_vertices=MAX_VERTICES)
        mesh, world_from_file = normalise(file, up, front)
        arrays = to_arrays(mesh, np.linalg.inv(world_from_file), seed, path.name)
    except ItemError as error:
        reason = error.reason if path.name in error.reason else f"{path.name}: {error.reason}"
        raise ItemError(reason, error.status) from None
    return LoadedMesh(file, arrays)


def _load_pair(request: PairRequest, seed: int) -> LoadedPair:
    check(request)
    try:
        meshes = {
            side: load(getattr(request, side), request.up, request.front, seed)
            for side in ("source", "target")
        }
        source = meshes["source"].arrays
        annotations = read_annotations(
            request.labels, request.keypoints, from_arrays(source), source["file_from_world"]
        )
    except OSError as error:
        raise ItemError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return LoadedPair(request, meshes, annotations)


def _choose(methods: PairMethods, asked: str) -> Choice:
    choice = methods.choose(asked)
    for reason in choice.reasons:
        log.info("method %s", reason)
    return choice


def _run(pair: LoadedPair, choice: Choice, chain: MemoryChain, seed: int) -> Path:
    request, arrays = pair.request, {side: mesh.arrays for side, mesh in pair.meshes.items()}
    chain.take(arrays)
    match = import_module(f"semcorr.matching.{choice.entry.matcher}").match
    seed = seed_of(seed, "pair", request.source.name, request.target.name)
    log.info("%s: features of both meshes", choice.name)
    shapes = {side: chain.shape(choice.entry, side) for side in ("source", "target")}
    log.info("%s: matching", choice.name)
    with naming(choice.name):
        found = match_surfaces(match, shapes["source"], shapes["target"], choice.entry, seed)
    result = PairResult(
        request=request,
        choice=choice,
        files={side: mesh.file for side, mesh in pair.meshes.items()},
        worlds={side: from_arrays(arrays[side]) for side in arrays},
        arrays=arrays,
        annotations=pair.annotations,
        match=found,
    )
    return write_outputs(result, request.folder(Path("results")))


def _alone(job: StageJob) -> None:
    for page in match_pairs(job):
        sys.stdout.write(f"{page}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_alone(_alone, main.__doc__)
