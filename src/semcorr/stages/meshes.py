"""Stage `meshes`: one chunk of a data set as meshes in our frame."""

from importlib import import_module

from semcorr.datasets import members as item_lists
from semcorr.datasets.context import DatasetContext
from semcorr.errors import ItemError
from semcorr.geometry.mesh_arrays import RAGGED, to_arrays
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader, simple, write_chunk
from semcorr.store.items import Arrays


def main(job: StageJob) -> None:
    """Write meshes/{dataset}/{chunk}: vertices in file order, world frame, surface samples."""
    context = context_of(job)
    load = import_module(f"semcorr.datasets.{job.cfg['kind']}").open_meshes(context)

    def compute(item_id: str) -> Arrays:
        member = context.members[item_id]
        if member.status != "ok":
            raise ItemError(member.reason, member.status)
        mesh, file_from_world = load(item_id)
        return to_arrays(mesh, file_from_world, context.seed, item_id)

    write_chunk(
        job.chunk_job(ragged=RAGGED, frame="world: Z up, front -Y", units="longest side = 1"),
        lambda missing: simple(compute),
        unit="mesh",
    )


def context_of(job: StageJob) -> DatasetContext:
    """Return what the data set's module is given."""
    datasets, name = job.config["datasets"], job.wildcards["dataset"]
    readers = {n: ChunkReader(job.input(n)) for n in ("raw", "meshes", "truth") if n in job.inputs}
    return DatasetContext(
        cfg=job.cfg,
        seed=job.cfg["global_seed"],
        entry=datasets[name],
        members=item_lists.read_members(datasets, name),
        **readers,
    )


if __name__ == "__main__":
    run_alone(main, main.__doc__)
