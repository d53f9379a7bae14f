"""Stage `chart`: scores of an experiment as a picture; of distances, the accuracy curves as well."""

import json

import numpy as np

from semcorr.evaluation.measures import MEASURES
from semcorr.evaluation.tables import with_votes
from semcorr.report.curves import CurveText, Score, Series, accuracy_curves, score_table
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes

# Tasks with accuracy curves: what the axes are, and the distances that tables quote
CURVES = {
    "keypoints": CurveText("distance to the true keypoint / longest side", "keypoints found"),
    "dense": CurveText(
        "distance to the true place / largest distance", "vertices found", (0.01, 0.05, 0.1)
    ),
}


def main(job: StageJob) -> None:
    """Write the charts named in the outputs: `scores`, and `curves` where there are any."""
    table = json.loads(job.input("table").read_text())
    task = job.wildcards["task"]
    key, name, most = MEASURES[task]
    rows = with_votes(table["methods"])
    scores = {
        row: {
            pose: None if s[key] is None else Score(s[key], tuple(s["ci95"]))
            for pose, s in poses.items()
        }
        for row, (_, poses) in rows.items()
    }
    like = {row: method for row, (method, _) in rows.items() if row != method}
    picture = score_table(scores, measure=name, most=most, like=like)
    write_bytes(job.outputs["scores"], picture)
    if "curves" in job.outputs:
        write_bytes(job.outputs["curves"], accuracy_curves(_curves(table), CURVES[task]))


def _curves(table: dict) -> dict[str, dict[str, Series]]:
    panels: dict[str, dict[str, Series]] = {}
    for method, poses in table["methods"].items():
        for pose, summary in poses.items():
            curve = summary["curve"]
            thresholds = np.array([float(t) for t in curve["thresholds"]])
            values = np.array([np.nan if v is None else v for v in curve["accuracy"]], np.float64)
            panels.setdefault(pose, {})[method] = Series(thresholds, values)
    return panels


if __name__ == "__main__":
    run_alone(main, main.__doc__)
