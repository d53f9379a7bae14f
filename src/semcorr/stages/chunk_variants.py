"""Stages whose work is a kind's module: masks, latents and features differ by the section's name only."""

from importlib import import_module
from types import ModuleType

from semcorr.config.load import entry_of
from semcorr.config.sections import PACKAGES
from semcorr.features.upstream import Upstream
from semcorr.stages.job import StageJob
from semcorr.store.chunk import ChunkReader, write_chunk

READERS = ("renders", "masks", "voxels", "latents")


def write_variant(job: StageJob, section: str) -> None:
    """Compute one chunk with the module of the variant's kind.

    That module has `extractor(entry, upstream)`, a context manager that loads what it needs and yields the
    function id -> arrays, and `RAGGED`, the names of arrays whose first axis differs between items.
    """
    entry = entry_of(section, job.cfg)
    module = kind_module(section, entry.kind)
    upstream = upstream_of(job)
    write_chunk(
        job.chunk_job(ragged=module.RAGGED, units="none"),
        lambda missing: module.extractor(entry, upstream),
        unit="shape",
    )


def kind_module(section: str, kind: str) -> ModuleType:
    """Return the module that implements a kind, e.g. `semcorr.features.lifted`."""
    return import_module(f"semcorr.{PACKAGES[section]}.{kind}")


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
