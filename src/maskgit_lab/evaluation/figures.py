"""Pictures of fills: rows to compare, strips of one picture's decoding, and what each schedule does step by step.

Figures are drawn on matplotlib's Figure objects directly: no global state, no window.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GAP = 2  # pixels between the pictures of a strip
HIDDEN_COLOUR = (0.16, 0.18, 0.26)
VISIBLE_COLOUR = (0.93, 0.91, 0.86)
FIGURE_DPI = 130


def strip_image(
    *,
    image: np.ndarray,
    hole: np.ndarray,
    steps: Sequence[np.ndarray],
    result: np.ndarray,
    truth: np.ndarray | None,
    scale: int = 2,
) -> np.ndarray:
    """Return one picture's decoding side by side: input, mask, steps, result, truth.

    Args:
        image, result, truth: (H, W, 3) uint8.
        hole: (H, W) bool.
        steps: pictures after some decoding steps.
        scale: enlargement without smoothing.

    Returns:
        (h, w, 3) uint8.
    """
    mask = np.where(hole[..., None], *(np.array(c) * 255 for c in (HIDDEN_COLOUR, VISIBLE_COLOUR))).astype(np.uint8)
    panels = [image, mask, *steps, result, *([] if truth is None else [truth])]
    enlarged = [np.asarray(panel).repeat(scale, 0).repeat(scale, 1) for panel in panels]
    gap = np.full((enlarged[0].shape[0], GAP * scale, 3), 255, dtype=np.uint8)
    parts = [part for panel in enlarged for part in (panel, gap)][:-1]
    strip = np.concatenate(parts, axis=1)
    margin = np.full((GAP * scale, strip.shape[1], 3), 255, dtype=np.uint8)
    return np.concatenate([strip, margin])


def save_rows(path: Path, columns: Mapping[str, np.ndarray], *, title: str = "") -> Path:
    """Write one row per picture and one column per kind of fill.

    Args:
        path: a PNG file.
        columns: heading -> (n, H, W, 3) uint8, equally many in each.
    """
    num_rows = len(next(iter(columns.values())))
    figure = Figure(figsize=(1.35 * len(columns), 1.35 * num_rows + 0.5), dpi=FIGURE_DPI, layout="constrained")
    axes = figure.subplots(num_rows, len(columns), squeeze=False)
    for j, (heading, pictures) in enumerate(columns.items()):
        for i in range(num_rows):
            _show(axes[i, j], pictures[i])
        axes[0, j].set_title(heading, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    return save_figure(figure, path)


def save_schedule_figure(
    path: Path, name: str, *, step_masks: np.ndarray, step_images: np.ndarray, columns: int = 10
) -> Path:
    """Write what a schedule does: tokens still hidden after each step above the prediction of that step.

    Args:
        path: a PNG file.
        name: of the schedule, for the title.
        step_masks: (S, grid, grid) bool, True = hidden.
        step_images: (S, H, W, 3) uint8.
        columns: pictures per band.
    """
    num_steps = len(step_masks)
    bands = -(-num_steps // columns)
    figure = Figure(figsize=(1.15 * columns, 2.75 * bands + 0.4), dpi=FIGURE_DPI, layout="constrained")
    axes = figure.subplots(2 * bands, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for step in range(num_steps):
        band, column = divmod(step, columns)
        hidden = step_masks[step][..., None]
        _show(axes[2 * band, column], np.where(hidden, HIDDEN_COLOUR, VISIBLE_COLOUR))
        axes[2 * band, column].set_title(f"step {step + 1}: {int(hidden.sum())} left", fontsize=7)
        _show(axes[2 * band + 1, column], step_images[step])
    figure.suptitle(f"{name}: tokens still hidden, and the prediction, after each of {num_steps} steps", fontsize=10)
    return save_figure(figure, path)


def _show(axis: Axes, picture: np.ndarray) -> None:
    axis.imshow(picture, interpolation="nearest")
    axis.axis("off")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure to a PNG file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, facecolor="white")
    return path
