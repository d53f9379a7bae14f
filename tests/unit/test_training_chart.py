"""The history of a training as a picture."""

import numpy as np
import pytest
from PIL import Image

from semcorr.errors import UserError
from semcorr.stages import training_chart
from semcorr.stages.running.job import StageJob
from semcorr.stages.train import table

ROWS = [
    {"step": 1, "samples": 2, "rate": 1e-4, "loss": 5.0, "place": 0.7},
    {"step": 2, "samples": 4, "rate": 1e-4, "loss": 3.0, "place": 0.6, "held_out_loss": 4.0},
    {"step": 3, "samples": 6, "rate": 1e-5, "loss": 0.2, "place": 0.5, "held_out_latent_std": 0.9},
]


def test_every_measure_has_its_panel_and_held_out_values_their_line():
    panels = training_chart.panels_of(table(ROWS))
    assert {m: list(lines) for m, lines in panels.items()} == {
        "loss": ["training", "held out"],
        "place": ["training"],
        "latent std": ["held out"],
    }
    np.testing.assert_array_equal(panels["loss"]["training"].y, [5.0, 3.0, 0.2])
    np.testing.assert_array_equal(panels["loss"]["held out"].x, [2.0])
    np.testing.assert_array_equal(panels["loss"]["held out"].y, [4.0])


def test_the_stage_writes_a_picture_and_refuses_an_empty_history(tmp_path):
    history, picture = tmp_path / "history.csv", tmp_path / "figures/models/vae.png"
    job = StageJob({"history": [history]}, {"picture": picture}, {}, wildcards={"model": "vae"})
    more = [row | {f"measure_{n}": float(n) for n in range(3)} for row in ROWS]
    sizes = []
    for rows in (ROWS, more):
        history.write_text(table(rows))
        training_chart.main(job)
        sizes.append(Image.open(picture).size)
    # three panels fill one row, six fill two
    assert sizes[1][0] == sizes[0][0] and sizes[1][1] > 1.8 * sizes[0][1]
    history.write_text("step,samples,rate\n")
    with pytest.raises(UserError, match="holds no measure"):
        training_chart.main(job)
