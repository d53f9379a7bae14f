"""How often sbatch is really called for a large set whose jobs end at different times.

    python benchmarks/scale/submissions.py [--chunks 80] [--seconds 1 20]

The preset up to its scores through `profiles/slurm`, once with the profile's lines for arrays and once
without, over a stub of Slurm: jobs compute nothing, their outputs are empty, and each is seen to run for a
time drawn between the two numbers. The executor puts into one array what is ready when it is handed over, at
most 50; so the count depends on how much apart jobs end, and on how often Snakemake looks. Ends with an
error where a job is never submitted or twice.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from plan import TARGET, options

import staggered  # isort: skip

METHODS = ("spatial", "guided_dinov2_s")


def targets() -> list[str]:
    """Return the scores: the table itself is made where Snakemake runs, from what is in them."""
    return [TARGET.replace(".json", f"/{method}.json") for method in METHODS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=80)
    parser.add_argument(
        "--seconds", type=float, nargs=2, default=(1, 20), metavar=("LEAST", "MOST")
    )
    parser.add_argument(
        "--limit", type=float, default=3600, help="seconds after which a run is stopped"
    )
    chosen = parser.parse_args()
    failed = []
    for arrays in (True, False):
        with tempfile.TemporaryDirectory() as place:
            staggered.many(Path(place), 10 * chosen.chunks)
            words = [*targets(), *options(chosen.chunks), "offline=true"]
            run = staggered.run(
                Path(place), words, None, tuple(chosen.seconds), chosen.limit, arrays
            )
        jobs = sum(len(call["jobs"]) for call in run.calls)
        name = "arrays" if arrays else "single jobs"
        rules = ", ".join(f"{rule} {n} in {calls}" for rule, (n, calls) in run.by_rule().items())
        sys.stdout.write(f"{name}: {jobs} jobs in {len(run.calls)} calls of sbatch ({rules})\n")
        sys.stdout.flush()
        if run.code != 0 or run.lost or run.repeated:
            failed.append(f"{name}: exit code {run.code}, lost {run.lost}, repeated {run.repeated}")
            sys.stdout.write(run.text[-2000:])
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
