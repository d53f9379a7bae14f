"""Stages whose work is a kind's module: latents and features share everything but the section's name."""

from importlib import import_module

from semcorr.config.load import entry_of
from semcorr.features.upstream import Upstream
from semcorr.networks.weight_files import weight_files
from semcorr.stages.job import StageJob
from semcorr.store.chunk import ChunkReader, write_chunk

READERS = ("renders", "voxels", "latents")


def write_variant(job: StageJob, section: str) -> None:
    """Compute one chunk with `semcorr.features.<kind>`.

    That module has `extractor(entry, upstream)`, a context manager that loads what it needs and yields the
    function id -> arrays, and `RAGGED`, the names of arrays whose first axis differs between items.
    """
    entry = entry_of(section, job.cfg)
    module = import_module(f"semcorr.features.{entry.kind}")
    upstream = upstream_of(job)
    is_grid = getattr(entry, "FORM", "grid") == "grid"
    weights = {n: weight_files(path).sha256 for n, path in upstream.weights.items()}
    if getattr(entry, "untrained", False):
        weights.pop("weights", None)  # only the sizes of the network are read there
    described = job.chunk_job(
        ragged=module.RAGGED,
        frame="voxel grid, per yaw" if is_grid else "sites of the mesh: vertices, then samples",
        units="none: activations of a network",
        weights=weights,
    )
    write_chunk(
        described,
        lambda missing: module.extractor(entry, upstream),
        unit="shape",
    )


def upstream_of(job: StageJob) -> Upstream:
    """Open the readers of a job's inputs."""
    readers = {n: ChunkReader(job.input(n)) for n in READERS if n in job.inputs}
    chunks = {"meshes", *READERS}
    weights = {n: job.input(n) for n in job.inputs if n not in chunks and not n.endswith("_store")}
    return Upstream(
        meshes=ChunkReader(job.input("meshes")),
        **readers,
        weights=weights,
        seed=job.cfg["global_seed"],
        precision=job.cfg["global_precision"],
        device=job.runtime.device,
        attention=job.runtime.attention,
        threads=job.runtime.threads,
    )
