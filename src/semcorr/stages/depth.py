"""Stage `depth`: one chunk of a depth variant."""

from semcorr.stages.running.chunk_variants import write_variant
from semcorr.stages.running.job import StageJob, run_alone


def main(job: StageJob) -> None:
    """Write depth/{depth}/{dataset}/{chunk}: depth of every view, exact or guessed."""
    write_variant(job, "depth")


if __name__ == "__main__":
    run_alone(main, main.__doc__)
