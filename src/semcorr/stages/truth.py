"""Stage `truth`: labels, keypoints and symmetry of one chunk, read by matching and evaluation only."""

from importlib import import_module

from semcorr.datasets.context import TRUTH_RAGGED, truth_to_arrays
from semcorr.stages.meshes import context_of
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import simple, write_chunk


def main(job: StageJob) -> None:
    """Write truth/{dataset}/{chunk}: per-face labels (-1 = none), keypoints (NaN = absent)."""
    load = import_module(f"semcorr.datasets.{job.cfg['kind']}").open_truth(context_of(job))
    write_chunk(
        job.chunk_job(ragged=TRUTH_RAGGED, frame="world: Z up, front -Y", units="longest side = 1"),
        lambda missing: simple(lambda item_id: truth_to_arrays(load(item_id))),
        unit="shape",
    )


if __name__ == "__main__":
    run_alone(main, main.__doc__)
