"""Plots with axes, on matplotlib's Figure objects directly: no global state, no window."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from maskgit_lab.machine.whole_file import whole_file

FIGURE_DPI = 120
MAX_PLOTS = 3  # in a row
HEADROOM = 1.08  # above the highest value of an axis from zero


def plots(count: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many plots, each of a size in inches."""
    columns, rows = min(MAX_PLOTS, count), -(-count // MAX_PLOTS)
    figure = Figure(figsize=(width * columns, height * rows), dpi=FIGURE_DPI, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.axis("off")
    return figure, axes[:count]


def calm(axis: Axes, *, from_zero: bool = False, least_span: float = 0.0) -> None:
    """Make an axis that can be read as it is: ticks say whole values, without offset or factor, and noise is not blown up.

    Args:
        axis: with everything drawn.
        from_zero: whether the vertical axis begins at 0, for what is counted or measured from there.
        least_span: what it covers at least, in its own unit; a smaller range of values lies in the middle.
    """
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    low, high = axis.get_ylim()
    if from_zero and axis.dataLim.y0 >= 0 and high > 0:
        axis.set_ylim(0.0, HEADROOM * high)
    elif high - low < least_span:
        middle = (low + high) / 2
        axis.set_ylim(middle - least_span / 2, middle + least_span / 2)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure to a PNG file, whole or not at all, and return its path."""
    canvas = FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    assert engine is not None  # `plots` gives one
    engine.execute(figure)
    figure.set_layout_engine("none")  # `savefig` would draw everything once more, unseen, to find the same layout
    with whole_file(path) as partial:
        canvas.print_png(partial)
    return path
