"""Charts: deterministic bytes without metadata, labels that do not overlap, honest smoothing."""

import io

import numpy as np
import pytest
from PIL import Image

from semcorr.report.charts import duration, spread
from semcorr.report.curves import (
    Score,
    Series,
    accuracy_curves,
    running_mean,
    score_table,
    timing_bars,
    training_curves,
)

X = np.linspace(0.0, 0.3, 31)
METHODS = ("random", "spatial_yaw", "guided_tiny", "hnsr_tiny")


def charts(kind="png"):
    curves = {m: Series(X, np.minimum(1, X * (k + 1))) for k, m in enumerate(METHODS)}
    steps = np.arange(300.0)
    losses = {"total": Series(steps, 5 * np.exp(-steps / 30) + 0.01)}
    scores = {m: {"aligned": Score(0.2 * k, (0.1 * k, 0.3 * k))} for k, m in enumerate(METHODS)}
    scores["random"]["random_yaw"] = Score(0.2)
    return {
        "accuracy": accuracy_curves({"aligned": curves, "random yaw": curves}, kind=kind),
        "training": training_curves({"loss": losses}, title="ss_vae_tiny", kind=kind),
        "timing": timing_bars(
            {"renders": 100.0, "features": 3.0}, counts={"renders": 24}, kind=kind
        ),
        "scores": score_table(scores, kind=kind),
    }


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_bytes_are_repeatable_and_without_metadata(kind):
    first, second = charts(kind), charts(kind)
    for name, data in first.items():
        assert data == second[name], name
        if kind == "png":
            image = Image.open(io.BytesIO(data))
            assert set(image.info) <= {"dpi"}, image.info
            assert len(np.unique(np.asarray(image).reshape(-1, 4), axis=0)) > 5
        else:
            assert b"<dc:date>" not in data and b"Matplotlib" not in data


def test_style_of_the_caller_does_not_leak_in():
    import matplotlib

    plain = charts()["accuracy"]
    with matplotlib.rc_context({"font.size": 20, "axes.titlesize": 30, "figure.dpi": 60}):
        assert charts()["accuracy"] == plain


def test_data_changes_the_picture():
    line = {"a": Series(X, X)}
    assert accuracy_curves({"p": line}) != accuracy_curves({"p": {"a": Series(X, X**2)}})
    with pytest.raises(ValueError, match="png or svg"):
        timing_bars({"a": 1.0}, kind="gif")


def test_charts_of_nothing_that_could_be_scored():
    """Methods keep their rows and poses their panels, whatever could be scored."""
    nothing = {m: {"aligned": None, "turned": None} for m in METHODS}
    some = nothing | {"random": {"aligned": None, "turned": Score(0.5)}}
    pictures = [score_table(nothing), score_table(some)]
    gaps = Series(X, np.full(len(X), np.nan))
    pictures += [
        accuracy_curves({"aligned": {"a": gaps, "b": gaps}}),
        accuracy_curves({"aligned": {"a": gaps, "b": Series(X, X)}}),
    ]
    assert len(set(pictures)) == 4
    for data in pictures:
        assert (np.asarray(Image.open(io.BytesIO(data)).convert("L")) < 128).sum() > 100


def test_labels_are_spread_in_order_inside_the_axis():
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = sorted(rng.random(7))
        moved = spread(places, 0.1)
        assert np.diff(moved).min() >= 0.1 - 1e-9
        assert min(moved) >= -1e-9 and max(moved) <= 1 + 1e-9
    assert spread([0.2, 0.5, 0.9], 0.1) == pytest.approx([0.2, 0.5, 0.9])
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([], 0.1) == []


def plain_running_mean(values, window):
    rows = []
    for i in range(len(values)):
        known = [v for v in values[max(0, i + 1 - window) : i + 1] if np.isfinite(v)]
        rows.append(np.mean(known) if known else np.nan)
    return np.array(rows)


def test_running_mean_equals_the_plain_loop():
    values = np.random.default_rng(1).normal(size=80)
    values[[0, 1, 20, 41]] = np.nan
    for window in (1, 3, 50, 200):
        np.testing.assert_allclose(running_mean(values, window), plain_running_mean(values, window))


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.088, "0.088 s"),
        (0.42, "0.42 s"),
        (0.999, "1.0 s"),
        (8.34, "8.3 s"),
        (9.97, "10 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.8, "1 h 00 min"),
        (3720, "1 h 02 min"),
    ],
)
def test_durations_for_people(seconds, text):
    assert duration(seconds) == text
