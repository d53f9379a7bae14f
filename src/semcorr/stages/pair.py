"""Stage `pair`: the user's own two meshes, matched, coloured and shown, in one process."""

import logging
import sys
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
from semcorr.seeds import seed_of
from semcorr.stages.cost_record import cost_record
from semcorr.stages.job import Runtime, StageJob, run_alone
from semcorr.stages.memory_chain import MemoryChain
from semcorr.stages.pair_method import Choice, PairMethods
from semcorr.stages.pair_outputs import PairResult, write_outputs
from semcorr.stages.pair_request import PairRequest, read_requests
from semcorr.store.items import Arrays

log = logging.getLogger(__name__)

MAX_VERTICES = 200_000


@dataclass(frozen=True)
class LoadedMesh:
    """A mesh as read and as arrays in the world frame."""

    file: Mesh
    arrays: Arrays


def main(job: StageJob) -> None:
    """Match the pairs named in `cfg`, write pairs/{pair}/, print the path of each page."""
    config = validate(job.config, asset_keys())
    requests = read_requests(job.cfg)
    results = Path("results")
    methods = PairMethods(config, job.runtime, results)
    choice = methods.choose(requests[0].method)
    for reason in choice.reasons:
        log.info("method %s", reason)
    failed = []
    for request in requests:
        try:
            with cost_record(results / f"costs/pair/{request.name}.tsv"):
                page = _run(request, choice, methods, config, job.runtime, results)
        except ItemError as error:
            if len(requests) == 1:
                raise UserError(str(error)) from None
            log.error("%s: %s", request.name, error)
            failed.append(request.name)
            continue
        sys.stdout.write(f"{page}\n")
        sys.stdout.flush()
    if failed:
        raise UserError(f"{len(failed)} of {len(requests)} pairs failed: {', '.join(failed[:5])}")


def load(path: Path, up: str, front: str, seed: int) -> LoadedMesh:
    """Read a mesh for `pair`.

    Raises:
        ItemError: unusable mesh; the message names the file and the remedy.
    """
    try:
        file = read_mesh(path, max_vertices=MAX_VERTICES)
        mesh, world_from_file = normalise(file, up, front)
    except ItemError as error:
        reason = error.reason if path.name in error.reason else f"{path.name}: {error.reason}"
        raise ItemError(reason, error.status) from None
    return LoadedMesh(file, to_arrays(mesh, np.linalg.inv(world_from_file), seed, path.name))


def _run(
    request: PairRequest,
    choice: Choice,
    methods: PairMethods,
    config,
    runtime: Runtime,
    results: Path,
) -> Path:
    loaded = {
        side: load(getattr(request, side), request.up, request.front, config.seed)
        for side in ("source", "target")
    }
    chain = MemoryChain(
        config, runtime, methods.weights, {side: mesh.arrays for side, mesh in loaded.items()}
    )
    matcher = import_module(f"semcorr.matching.{choice.entry.matcher}")
    seed = seed_of(config.seed, "pair", request.source.name, request.target.name)
    log.info("%s: features of both meshes", choice.name)
    shapes = {side: chain.shape(choice.entry, side) for side in ("source", "target")}
    log.info("%s: matching", choice.name)
    match = matcher.match(shapes["source"], shapes["target"], choice.entry, seed)
    result = PairResult(
        request=request,
        choice=choice,
        files={side: mesh.file for side, mesh in loaded.items()},
        worlds={side: from_arrays(mesh.arrays) for side, mesh in loaded.items()},
        arrays={side: mesh.arrays for side, mesh in loaded.items()},
        match=match,
    )
    return write_outputs(result, request.folder(results))


if __name__ == "__main__":
    run_alone(main, main.__doc__)
