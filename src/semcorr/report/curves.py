"""Charts of results and costs: accuracy curves, training curves, times a stage, tables of scores.

Every function returns the bytes of a png or svg; equal arguments give equal bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.ticker import MaxNLocator, PercentFormatter

from semcorr.report.charts import (
    FAINT,
    INK,
    SOFT,
    STYLE,
    duration,
    figure_bytes,
    label_ends,
    new_figure,
    plain_log_axis,
)
from semcorr.report.colours import BASELINE_COLOURS, METHOD_PALETTE, method_colours

NO_NAMES: Mapping[str, str] = {}
# Of training curves: more would not be read
PANELS_A_ROW = 3


@dataclass(frozen=True)
class Series:
    """One line: (n,) ascending x, (n,) y (NaN = gap)."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Score:
    """A mean with its 95 % interval (low, high), or without one."""

    mean: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class CurveText:
    """Names of both axes of accuracy curves; tables quote `marks`, which are drawn as hairlines."""

    distance: str = "distance"
    found: str = "found"
    marks: tuple[float, ...] = (0.05, 0.1)


def accuracy_curves(
    panels: Mapping[str, Mapping[str, Series]],
    text: CurveText = CurveText(),
    *,
    names: Mapping[str, str] = NO_NAMES,
    kind: str = "png",
) -> bytes:
    """Accuracy over the distance that counts as a hit.

    Args:
        panels: pose -> method -> accuracy in 0..1 over thresholds, NaN where nothing could be scored.
        text: names of the axes and marks.
        names: method -> label.
        kind: png or svg.
    """
    methods = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    colours = method_colours(methods)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(0.6 + 4.2 * len(panels), 3.2)
        grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (title, lines) in zip(grid, panels.items(), strict=True):
            for mark in text.marks:
                axes.axvline(mark, color=FAINT, linewidth=0.8, zorder=0)
            for method, line in lines.items():
                style = (0, (4, 2)) if method in BASELINE_COLOURS else "solid"
                axes.plot(line.x, line.y, color=colours[method], linestyle=style)
            axes.set(title=title, ylim=(0.0, 1.0), xlim=(0.0, max(s.x[-1] for s in lines.values())))
            axes.set_xlabel(text.distance)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
        grid[0].set_ylabel(text.found)
        figure.draw_without_rendering()
        for axes, lines in zip(grid, panels.values(), strict=True):
            ends = {name: float(s.y[-1]) for name, s in lines.items() if np.isfinite(s.y[-1])}
            if not ends:
                axes.text(0.5, 0.5, "no result", transform=axes.transAxes, ha="center", color=SOFT)
            label_ends(axes, ends, colours, names)
        return figure_bytes(figure, kind)


def training_curves(
    panels: Mapping[str, Mapping[str, Series]],
    *,
    title: str = "",
    names: Mapping[str, str] = NO_NAMES,
    kind: str = "png",
) -> bytes:
    """Measures over steps, a panel each; a logarithmic axis where they change tenfold.

    Faint: every logged value; strong: their running mean over a fiftieth of the run.

    Args:
        panels: measure -> line ("training", "held out" ...) -> values over steps.
        title: heading of the picture.
        names: line -> label.
        kind: png or svg.
    """
    columns = min(len(panels), PANELS_A_ROW)
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(0.4 + 3.9 * columns, 3.0 * rows)
        figure.suptitle(title)
        axes_of_all = figure.subplots(rows, columns, squeeze=False).ravel()
        grid = axes_of_all[: len(panels)]
        for axes in axes_of_all[len(panels) :]:
            axes.set_visible(False)
        all_names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
        colours = dict(zip(all_names, _cycle(len(all_names)), strict=True))
        ends = []
        for axes, (measure, lines) in zip(grid, panels.items(), strict=True):
            last = {}
            for name, line in lines.items():
                smooth = running_mean(line.y, max(1, len(line.y) // 50))
                axes.plot(line.x, line.y, color=colours[name], alpha=0.22, linewidth=0.8)
                axes.plot(line.x, smooth, color=colours[name])
                last[name] = float(smooth[np.isfinite(smooth)][-1])
            values = np.concatenate([line.y for line in lines.values()])
            values = values[np.isfinite(values)]
            if values.min() > 0 and values.max() > 10 * values.min():
                plain_log_axis(axes)
            axes.set(title=measure, xlabel="step")
            axes.margins(x=0.0)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            ends.append(last)
        figure.draw_without_rendering()
        for axes, last in zip(grid, ends, strict=True):
            label_ends(axes, last, colours, names)
        return figure_bytes(figure, kind)


def timing_bars(
    seconds: Mapping[str, float],
    *,
    counts: Mapping[str, int] | None = None,
    title: str = "Time by stage",
    kind: str = "png",
) -> bytes:
    """Horizontal bars in the given order, each with its time and its share of the sum.

    Args:
        seconds: stage -> seconds of all its jobs together.
        counts: stage -> number of items, for the time an item; left out where it is 0 or absent.
        title: heading; the sum is added.
        kind: png or svg.
    """
    stages = list(seconds)
    values = np.array([seconds[stage] for stage in stages], dtype=np.float64)
    total = float(values.sum()) or 1.0
    with matplotlib.rc_context(STYLE):
        figure = new_figure(6.2, 0.75 + 0.27 * len(stages))
        axes = figure.subplots()
        axes.barh(np.arange(len(stages)), values, height=0.66, color=METHOD_PALETTE[0])
        for row, (stage, value) in enumerate(zip(stages, values, strict=True)):
            note = f"{duration(value)}  ({100.0 * value / total:.0f} %)"
            items = (counts or {}).get(stage, 0)
            if items:
                note += f"   {duration(value / items)} an item"
            axes.annotate(
                note,
                (value, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.0,
                color=SOFT,
            )
        axes.set_yticks(np.arange(len(stages)), stages)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.set_xlim(0.0, max(values.max(initial=0.0), 1e-9) * 1.5)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.set_title(f"{title}: {duration(float(values.sum()))}")
        return figure_bytes(figure, kind)


def score_table(
    scores: Mapping[str, Mapping[str, Score | None]],
    *,
    measure: str = "mean IoU",
    most: float = 1.0,
    names: Mapping[str, str] = NO_NAMES,
    like: Mapping[str, str] = NO_NAMES,
    kind: str = "png",
) -> bytes:
    """Methods by poses: a dot with its 95 % interval, and the number; the best of a pose is bold.

    Args:
        scores: method -> pose -> score, None where nothing could be scored; rows in the given order,
            poses in order of appearance.
        measure: what the scores are; values in 0..most.
        most: end of the scale.
        names: method -> label.
        like: row -> row whose colour it has, too.
        kind: png or svg.
    """
    methods = list(scores)
    poses = list(dict.fromkeys(pose for row in scores.values() for pose in row))
    own = method_colours([method for method in methods if method not in like])
    colours = {method: own[like.get(method, method)] for method in methods}
    with matplotlib.rc_context(STYLE):
        figure = new_figure(1.6 + 2.7 * len(poses), 0.85 + 0.27 * len(methods))
        grid = figure.subplots(1, len(poses), squeeze=False, sharey=True)[0]
        for axes, pose in zip(grid, poses, strict=True):
            column = [scores[method].get(pose) for method in methods]
            means = [score.mean for score in column if score is not None]
            best = f"{max(means):.3f}" if means else ""
            for row, (method, score) in enumerate(zip(methods, column, strict=True)):
                _score_row(axes, row, score, colours[method], best)
            axes.set_title(pose.replace("_", " "))
            axes.set_xlim(0.0, most)
            ticks = most * np.linspace(0.0, 1.0, 5)
            axes.set_xticks(ticks, [_short(tick) for tick in ticks])
            axes.set_xlabel(measure)
            axes.grid(axis="x", color=FAINT, linewidth=0.5)
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.spines["left"].set_visible(False)
        grid[0].set_yticks(np.arange(len(methods)), [names.get(m, m) for m in methods])
        grid[0].set_ylim(len(methods) - 0.4, -0.6)
        return figure_bytes(figure, kind)


def _short(value: float) -> str:
    """.25 for 0.25."""
    text = f"{value:g}"
    return text[1:] if text.startswith("0.") else text


def running_mean(values: Float[np.ndarray, " n"], window: int) -> Float[np.ndarray, " n"]:
    """Mean of the last `window` finite values up to each place; NaN before the first one."""
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - window, 0)
    number = counts[end] - counts[start]
    mean = (sums[end] - sums[start]) / np.maximum(number, 1)
    return np.where(number > 0, mean, np.nan)


def _score_row(axes, row: int, score: Score | None, colour: str, best: str) -> None:
    if score is None:
        _value_text(axes, row, "no result", False, SOFT)
        return
    if score.interval is not None:
        axes.plot(score.interval, (row, row), color=colour, linewidth=2.2, alpha=0.45)
    axes.plot([score.mean], [row], "o", color=colour, markersize=5.5, clip_on=False)
    text = f"{score.mean:.3f}"
    _value_text(axes, row, text, text == best, INK)


def _value_text(axes, row: int, text: str, strong: bool, colour: str) -> None:
    axes.annotate(
        text,
        (1.0, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        fontweight="bold" if strong else "normal",
        color=colour,
        annotation_clip=False,
    )


def _cycle(count: int) -> list[str]:
    return [METHOD_PALETTE[i % len(METHOD_PALETTE)] for i in range(count)]
