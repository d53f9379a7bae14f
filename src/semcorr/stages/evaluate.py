"""Stage `evaluate`: scores of one method in one experiment, computed from stored maps."""

from importlib import import_module

from semcorr.errors import UserError
from semcorr.evaluation.tables import method_document, to_json
from semcorr.stages.coverage import check_coverage
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import sha256_file, write_bytes


def main(job: StageJob) -> None:
    """Write {task}/{experiment}/{method}.json."""
    scorer = import_module(f"semcorr.stages.scores.{job.wildcards['task']}")
    poses = {}
    for pose in job.cfg["poses"]:
        pairs = PosePairs.open(
            matches=job.inputs[f"{pose}_matches"],
            meshes=job.inputs[f"{pose}_meshes"],
            truth=job.inputs[f"{pose}_truth"],
            part_names=job.cfg.get("part_names"),
        )
        needs_truth = getattr(scorer, "NEEDS_TRUTH", True)
        lost, count = pairs.lost(needs_truth), len(pairs.rows())
        if not count:
            raise UserError(f"{pose}: no pair at all; check `sources` and `targets`")
        what = "pairs have a map"
        what += " and a ground truth that could be read" if needs_truth else ""
        check_coverage(lost, count, job.runtime.min_coverage, pose, what)
        poses[pose] = scorer.score(pairs, job.cfg)
    manifests = {p for name, ps in job.inputs.items() for p in ps if not name.endswith("_store")}
    document = method_document(
        job.wildcards["experiment"],
        job.cfg["category"],
        job.wildcards["method"],
        poses,
        {str(path): sha256_file(path) for path in sorted(manifests)},
        source_category=job.cfg["source_category"],
    )
    write_bytes(job.outputs["scores"], to_json(document).encode())


if __name__ == "__main__":
    run_alone(main, main.__doc__)
