"""Stage `cost_chart`: time by stage as a picture, from what the jobs cost so far."""

from pathlib import Path

from semcorr.report.curves import timing_bars
from semcorr.stages.costs import by_stage, read_costs, write_costs
from semcorr.stages.job import StageJob, run_alone
from semcorr.store.files import write_bytes


def main(job: StageJob) -> None:
    """Write figures/costs.png and costs.parquet; a record of this run, no result."""
    results = Path(job.outputs["picture"]).parents[1]
    stages = by_stage(read_costs(results))
    ordered = sorted(stages, key=lambda s: -stages[s]["wall_s"])
    picture = timing_bars(
        {s: stages[s]["wall_s"] for s in ordered},
        counts={s: int(stages[s]["jobs"]) for s in ordered},
    )
    write_bytes(job.outputs["picture"], picture)
    write_costs(results)


if __name__ == "__main__":
    run_alone(main, main.__doc__)
