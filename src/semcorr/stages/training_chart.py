"""Stage `training_chart`: the history of a training as a picture."""

import csv
import io

import numpy as np

from semcorr.errors import UserError
from semcorr.report.curves import Series, training_curves
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes

# Columns of the history that are no measure
PLACES = ("step", "samples", "rate")
HELD_OUT = "held_out_"


def main(job: StageJob) -> None:
    """Write figures/models/{model}.png: every measure of the history over the steps."""
    panels = panels_of(job.input("history").read_text())
    if not panels:
        raise UserError(f"{job.input('history')}: holds no measure")
    picture = training_curves(panels, title=job.wildcards["model"])
    write_bytes(job.outputs["picture"], picture)


def panels_of(history: str) -> dict[str, dict[str, Series]]:
    """Return {measure: {"training" or "held out": values over steps}}.

    Args:
        history: CSV of a training; columns that start with `held_out_` are scores on shapes that are not
            trained on, empty between validations.
    """
    rows = list(csv.DictReader(io.StringIO(history)))
    panels: dict[str, dict[str, Series]] = {}
    for column in rows[0] if rows else ():
        known = [row for row in rows if row[column]]
        if column in PLACES or not known:
            continue
        steps = np.array([float(row["step"]) for row in known])
        values = np.array([float(row[column]) for row in known])
        line = "held out" if column.startswith(HELD_OUT) else "training"
        measure = column.removeprefix(HELD_OUT).replace("_", " ")
        panels.setdefault(measure, {})[line] = Series(steps, values)
    return panels


if __name__ == "__main__":
    run_alone(main, main.__doc__)
