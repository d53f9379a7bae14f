"""Stage `latents`: one chunk of a latent variant."""

from semcorr.stages.running.chunk_variants import write_variant
from semcorr.stages.running.job import StageJob, run_alone

# Raised by hand when the arrays of all kinds change: an edit must not cost GPU hours
VERSION = 1


def main(job: StageJob) -> None:
    """Write latents/{latent}/{dataset}/{chunk}."""
    write_variant(job, "latents")


if __name__ == "__main__":
    run_alone(main, main.__doc__)
