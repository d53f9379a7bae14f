"""Stages whose work is a kind's module; they differ by the name of the section only."""

from importlib import import_module
from types import ModuleType

from semcorr.config.load import entry_of
from semcorr.config.sections import PACKAGES
from semcorr.features.upstream import Upstream
from semcorr.networks.weight_files import weight_files
from semcorr.stages.running.job import StageJob
from semcorr.store.chunk import ChunkReader, write_chunk

READERS = ("renders", "masks", "depth", "voxels", "latents")

# What a kind's arrays lie on -> frame and units
FORMS = {
    "pixels": ("pixels of the views", "1 = object"),
    "depth": ("pixels of the views, along the optical axis", "longest side = 1; 0 = no hit"),
    "grid": ("voxel grid, per pose", "none: activations of a network"),
    "sparse": ("occupied cells of the voxel grid", "none: latent units of a network"),
    "sites": ("sites of the mesh: vertices, then samples", "none: activations of a network"),
}


def write_variant(job: StageJob, section: str) -> None:
    """Compute one chunk with the module of the variant's kind.

    That module has `extractor(entry, upstream)`, a context manager that loads what it needs and yields the
    function id -> arrays, and `RAGGED`, the names of arrays whose first axis differs between items.
    """
    entry = entry_of(section, job.cfg)
    module = kind_module(section, entry.kind)
    upstream = upstream_of(job)
    frame, units = FORMS[entry.FORM]
    weights = {n: weight_files(path).sha256 for n, path in upstream.weights.items()}
    if getattr(entry, "untrained", False):
        weights.pop("weights", None)  # only the sizes of the network are read there
    described = job.chunk_job(
        ragged=module.RAGGED,
        frame=frame,
        units=units,
        weights=weights,
    )
    write_chunk(
        described,
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
