"""Heat maps of a measure over timesteps and layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from semcorr.report.charts import INK, SOFT, STYLE, figure_bytes, new_figure

COLOURS = "viridis"


@dataclass(frozen=True)
class Panel:
    """One heat map.

    Attributes:
        title: heading.
        timesteps: columns.
        layers: rows.
        values: (layers, timesteps) in the measure's unit, larger is better; NaN = not scored.
    """

    title: str
    timesteps: Sequence[int]
    layers: Sequence[int]
    values: Float[np.ndarray, "l t"]

    @property
    def best(self) -> tuple[int, int] | None:
        """Row and column of the largest value, the first of equals; None if nothing was scored."""
        if np.isnan(self.values).all():
            return None
        row, column = np.unravel_index(np.nanargmax(self.values), self.values.shape)
        return int(row), int(column)


def heat_maps(panels: Sequence[Panel], title: str) -> bytes:
    """Return a PNG with one heat map a panel on one colour scale, the best cell framed and named.

    Raises:
        ValueError: no panel.
    """
    if not panels:
        raise ValueError("heat_maps: expected at least one panel")
    known = np.concatenate([panel.values[~np.isnan(panel.values)] for panel in panels])
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    columns = max(len(panel.timesteps) for panel in panels)
    rows = max(len(panel.layers) for panel in panels)
    # a heading must not run into that of the next panel
    heading = max(len(panel.title + _named(panel)) for panel in panels)
    wide = max(0.55 * columns + 1.2, 0.07 * heading + 0.7)  # inches
    with matplotlib.rc_context(STYLE):
        figure = new_figure(len(panels) * wide, 0.34 * rows + 1.4)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw(axes, panel, low, max(high, low + 1e-6))
        return figure_bytes(figure)


def _draw(axes: Axes, panel: Panel, low: float, high: float) -> None:
    """Draw one panel: coloured cells with their values, layers upwards."""
    axes.imshow(panel.values, cmap=COLOURS, vmin=low, vmax=high, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(panel.values):
        dark = not np.isnan(value) and value < (low + high) / 2
        text = "" if np.isnan(value) else f"{value:.3f}".lstrip("0")
        axes.text(
            *(column, row, text), ha="center", va="center", fontsize=7, color="w" if dark else INK
        )
    axes.set_xticks(range(len(panel.timesteps)), [str(step) for step in panel.timesteps])
    axes.set_yticks(range(len(panel.layers)), [str(layer) for layer in panel.layers])
    axes.set_xlabel("timestep")
    axes.set_ylabel("layer")
    axes.set_title(panel.title + _named(panel), fontsize=8.5, color=SOFT)
    if panel.best is not None:
        row, column = panel.best
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, lw=2, ec="#d7263d")
        axes.add_patch(frame)


def _named(panel: Panel) -> str:
    """Say which cell is the best."""
    if panel.best is None:
        return ": nothing scored"
    row, column = panel.best
    value = f"{panel.values[row, column]:.3f}".lstrip("0")
    return f": best {value} at timestep {panel.timesteps[column]}, layer {panel.layers[row]}"
