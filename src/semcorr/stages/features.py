"""Stage `features`: one chunk of a feature variant."""

from semcorr.stages.running.chunk_variants import write_variant
from semcorr.stages.running.job import StageJob, run_alone

# Raised by hand when the arrays of all kinds change: an edit must not cost GPU hours
VERSION = 1


def main(job: StageJob) -> None:
    """Write features/{feature}/{dataset}/{chunk}."""
    write_variant(job, "features")


if __name__ == "__main__":
    run_alone(main, main.__doc__)
