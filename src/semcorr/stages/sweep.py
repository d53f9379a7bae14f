"""Stage `sweep`: scores over timestep, noise and layer as one tidy table and a heat map."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from semcorr.evaluation.measures import MEASURES
from semcorr.report.heat_map import Panel, heat_maps
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes

# One row a setting and pose; `score` is the measure's value, null where no pair could be scored
SCHEMA = pa.schema(
    [
        ("sweep", pa.string()),
        ("experiment", pa.string()),
        ("pose", pa.string()),
        ("method", pa.string()),
        ("timestep", pa.int64()),
        ("noise", pa.float64()),
        ("layer", pa.int64()),
        ("measure", pa.string()),
        ("score", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("coverage", pa.float64()),
    ]
)


def main(job: StageJob) -> None:
    """Write sweeps/{sweep}.parquet and figures/sweeps/{sweep}.png."""
    name, cfg = job.wildcards["sweep"], job.cfg
    documents = [json.loads(path.read_text()) for path in job.inputs["scores"]]
    rows = [
        row
        for cell, document in zip(cfg["cells"], documents, strict=True)
        for row in rows_of(name, cfg, cell, document["methods"][cell["method"]])
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd")
    write_bytes(job.outputs["table"], sink.getvalue().to_pybytes())
    measure = MEASURES[cfg["task"]].name
    title = f"{name}: {measure} in {cfg['experiment']}"
    write_bytes(job.outputs["picture"], heat_maps(panels_of(rows), title))


def rows_of(
    sweep: str, cfg: dict[str, Any], cell: dict[str, Any], poses: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return one row a pose of one setting."""
    key = MEASURES[cfg["task"]].key
    setting = {field: cell[field] for field in ("method", "timestep", "noise", "layer")}
    rows = []
    for pose, summary in poses.items():
        low, high = summary["ci95"] if summary[key] is not None else (None, None)
        rows.append(
            {"sweep": sweep, "experiment": cfg["experiment"], "pose": pose, "measure": key}
            | setting
            | {"score": summary[key], "ci_low": low, "ci_high": high}
            | {"coverage": summary["coverage"]}
        )
    return rows


def panels_of(rows: list[dict[str, Any]]) -> list[Panel]:
    """Return one panel a pose, and one a pose and noise where the noise is no function of the timestep."""
    pairs = {(row["timestep"], row["noise"]) for row in rows}
    free = len(pairs) > len({timestep for timestep, _ in pairs})
    layers = sorted({row["layer"] for row in rows})
    steps = sorted({row["timestep"] for row in rows})
    panels: dict[str, np.ndarray] = {}
    for row in rows:
        title = row["pose"] + (f", noise {row['noise']:g}" if free else "")
        values = panels.setdefault(title, np.full((len(layers), len(steps)), np.nan))
        if row["score"] is not None:
            values[layers.index(row["layer"]), steps.index(row["timestep"])] = row["score"]
    return [Panel(title, steps, layers, values) for title, values in panels.items()]


if __name__ == "__main__":
    run_alone(main, main.__doc__)
