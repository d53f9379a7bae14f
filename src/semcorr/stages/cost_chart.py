"""Stage `cost_chart`: what each stage cost, as a picture and as a table, from the jobs so far."""

from pathlib import Path

from semcorr.report.curves import timing_bars
from semcorr.stages.running.costs import by_stage, read_costs, stage_table, write_costs
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes


def main(job: StageJob) -> None:
    """Write figures/costs.png, figures/costs.csv and costs.parquet; a record of this run, no result."""
    results = Path(job.outputs["picture"]).parents[1]
    found = by_stage(read_costs(results))
    stages = {name: found[name] for name in sorted(found, key=lambda s: -found[s]["wall_s"])}
    picture = timing_bars(
        {name: total["wall_s"] for name, total in stages.items()},
        counts={name: int(total["items"]) for name, total in stages.items()},
    )
    write_bytes(job.outputs["picture"], picture)
    write_bytes(job.outputs["table"], stage_table(stages).encode())
    write_costs(results)


if __name__ == "__main__":
    run_alone(main, main.__doc__)
