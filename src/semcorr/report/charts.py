"""Style of the charts, and how a matplotlib figure becomes the same bytes every time."""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

DPI = 200
INK, SOFT, FAINT = "#1d1f23", "#666b73", "#dcdcd7"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "semcorr",
    "svg.fonttype": "path",
    "path.simplify": False,
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches with its own canvas; no global state is touched."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.09)
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a png or svg file without date, version or other metadata."""
    empty = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    if kind not in empty:
        raise ValueError(f"figures are written as png or svg, not {kind!r}")
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=empty[kind], facecolor="white")
    return buffer.getvalue()


def label_ends(
    axes: Axes, ends: Mapping[str, float], colours: Mapping[str, str], names: Mapping[str, str]
) -> None:
    """Write each line's name beside its right end (value in data units), moved so none overlap."""
    low, high = axes.get_ylim()
    log = axes.get_yscale() == "log"
    to_unit = (
        (lambda v: np.log(v / low) / np.log(high / low))
        if log
        else lambda v: (v - low) / (high - low)
    )
    height = axes.get_position().height * axes.figure.get_size_inches()[1] * 0.86
    step = 0.155 / max(height, 0.5)  # inches a line of text, as a part of the axis
    order = sorted(ends, key=lambda name: (ends[name], name))
    places = spread([float(to_unit(ends[name])) for name in order], step)
    for name, place in zip(order, places, strict=True):
        axes.annotate(
            names.get(name, name),
            (1.0, place),
            xytext=(5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=colours[name],
            fontsize=8.5,
            annotation_clip=False,
        )


def spread(places: Sequence[float], step: float) -> list[float]:
    """Ascending places, moved as little as possible so that neighbours are a step apart.

    Least squares by pool-adjacent-violators on places minus their rank's share; kept inside 0..1
    where they fit.
    """
    blocks: list[list[float]] = []  # [mean, count]
    for rank, place in enumerate(places):
        blocks.append([place - rank * step, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * count) / (before[1] + count)
            before[1] += count
    shifted = [mean for mean, count in blocks for _ in range(int(count))]
    highest = max(1.0 - (len(places) - 1) * step, 0.0)
    return [min(max(v, 0.0), highest) + rank * step for rank, v in enumerate(shifted)]


def plain_log_axis(axes: Axes) -> None:
    """Make y logarithmic with ticks at 1, 2, 5 written as plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def duration(seconds: float) -> str:
    """A duration for people: 0.42 s, 8.3 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 9.95:
        return f"{seconds:.2g} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
