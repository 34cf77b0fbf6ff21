"""Plots with axes, on matplotlib's Figure objects directly: no global state, no window."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from maskgit_lab.machine.whole_file import whole_file

FIGURE_DPI = 120
MAX_PLOTS = 3  # in a row


def plots(count: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many plots, each of a size in inches."""
    columns, rows = min(MAX_PLOTS, count), -(-count // MAX_PLOTS)
    figure = Figure(figsize=(width * columns, height * rows), dpi=FIGURE_DPI, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.axis("off")
    return figure, axes[:count]


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure to a PNG file, whole or not at all, and return its path."""
    FigureCanvasAgg(figure)
    with whole_file(path) as partial:
        figure.savefig(partial, facecolor="white", format="png")
    return path
