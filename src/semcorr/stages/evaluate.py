"""Stage `evaluate`: scores of one method in one experiment, computed from stored maps."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module

from semcorr.errors import UserError
from semcorr.evaluation.tables import method_document, to_json
from semcorr.stages.job import StageJob, run_alone
from semcorr.stages.pose_pairs import PosePairs
from semcorr.store.files import sha256_file, write_bytes


def main(job: StageJob) -> None:
    """Write {task}/{experiment}/{method}.json."""
    scorer = import_module(f"semcorr.stages.score_{job.wildcards['task']}")
    poses = {}
    for pose in job.cfg["poses"]:
        pairs = PosePairs.open(
            matches=job.inputs[f"{pose}_matches"],
            meshes=job.inputs[f"{pose}_meshes"],
            truth=job.inputs[f"{pose}_truth"],
        )
        check_coverage(pairs.lost(), len(pairs.rows()), job.runtime.min_coverage, pose)
        poses[pose] = scorer.score(pairs, job.cfg)
    manifests = {p for name, ps in job.inputs.items() for p in ps if not name.endswith("_store")}
    document = method_document(
        job.wildcards["experiment"],
        job.cfg["category"],
        job.wildcards["method"],
        poses,
        {str(path): sha256_file(path) for path in sorted(manifests)},
    )
    write_bytes(job.outputs["scores"], to_json(document).encode())


def check_coverage(lost: Sequence[str], pairs: int, min_coverage: float, pose: str) -> None:
    """Raise UserError naming the most frequent reasons when too many pairs failed.

    Args:
        lost: why, for every pair that cannot be scored (`PosePairs.lost`).
        pairs: number of all pairs.
        min_coverage: share of pairs that must not be lost.
        pose: for the message.
    """
    if not pairs:
        raise UserError(f"{pose}: no pair at all; check `sources` and `targets`")
    share = 1 - len(lost) / pairs
    if share < min_coverage:
        worst = Counter(lost).most_common(3)
        reasons = "".join(f"\n  {count} x {reason}" for reason, count in worst)
        raise UserError(
            f"{pose}: only {share:.0%} of {pairs} pairs have a map and a ground truth that could"
            f" be read (min_coverage: {min_coverage:.0%}); most frequent reasons:{reasons}\n"
            "Mend the items and run `snakemake -c all retry_failed`, or lower min_coverage."
        )


if __name__ == "__main__":
    run_alone(main, main.__doc__)
