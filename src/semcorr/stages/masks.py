"""Stage `masks`: one chunk of a mask variant."""

from semcorr.stages.running.chunk_variants import write_variant
from semcorr.stages.running.job import StageJob, run_alone


def main(job: StageJob) -> None:
    """Write masks/{mask}/{dataset}/{chunk}: which pixels of every view are the object."""
    write_variant(job, "masks")


if __name__ == "__main__":
    run_alone(main, main.__doc__)
