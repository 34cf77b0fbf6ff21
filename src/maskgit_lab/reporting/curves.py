"""Curves: the losses and scores of a training run over its steps, and the schedules over progress."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from maskgit_lab.reporting.plots import calm, plots, save_figure
from maskgit_lab.runs.metrics_file import read_metrics

# panel -> the columns of metrics.csv that belong in it; prefixes end in *
PANELS: dict[str, tuple[str, ...]] = {
    "loss (nats per hidden token)": ("train/loss", "train/fixed_loss", "val/loss"),
    "token accuracy": ("train/token_accuracy", "val/token_accuracy"),
    "Frechet distance, decoded": ("val/fid", "val/fd_*"),
    "hole PSNR (dB), composited": ("val/psnr_hole",),
    "learning rate": ("lr-*",),
    "images per second": ("train/images_per_second",),
}
# panels of what is counted or measured from zero, and what the others cover at least, so that noise looks small
FROM_ZERO = ("token accuracy", "Frechet distance, decoded", "learning rate", "images per second")
LEAST_SPAN = {"loss (nats per hidden token)": 0.5, "hole PSNR (dB), composited": 2.0}
# the same in every panel
COLOURS = {"train": "#4878a8", "val": "#d9762b", "train/fixed_loss": "#5f9a4f"}
FEW_POINTS = 40  # of a curve: each is marked


def save_training_curves(path: Path, metrics_csv: Path) -> Path | None:
    """Write the panels for which the file has values; None when it has none."""
    series = read_metrics(metrics_csv)
    panels = {title: _matching(series, names) for title, names in PANELS.items()}
    panels = {title: names for title, names in panels.items() if names}
    if not panels:
        return None
    steps = np.concatenate([points[:, 0] for points in series.values()])
    edge = 0.03 * max(steps.max() - steps.min(), 1)
    figure, axes = plots(len(panels), width=4.2, height=2.8)
    for axis, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            marker = "o" if len(series[name]) < FEW_POINTS and name.startswith(("val/", "train/fixed")) else ""
            colour = COLOURS.get(name, COLOURS.get(name.split("/")[0]))
            axis.plot(*series[name].T, label=name, marker=marker, markersize=3, linewidth=1.4, color=colour)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("optimiser step", fontsize=8)
        axis.set_xlim(steps.min() - edge, steps.max() + edge)  # the same everywhere: panels can be read against each other
        calm(axis, from_zero=title in FROM_ZERO, least_span=LEAST_SPAN.get(title, 0.0))
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
        axis.legend(fontsize=7, frameon=False)
    return save_figure(figure, path)


def _matching(series: Mapping[str, np.ndarray], patterns: tuple[str, ...]) -> list[str]:
    exact = [name for name in patterns if name in series]
    prefixes = tuple(p[:-1] for p in patterns if p.endswith("*"))
    return exact + sorted(name for name in series if prefixes and name.startswith(prefixes))


def save_schedule_curves(path: Path, schedules: Mapping[str, Callable[[float], float]], *, own: str | None = None) -> Path:
    """Write the share hidden over progress of every schedule; the one named `own` is drawn thick."""
    figure, (axis,) = plots(1, width=5.2, height=3.6)
    progress = np.linspace(0, 1, 101)
    for name, schedule in schedules.items():
        label, width = (f"{name} (this run)", 3.0) if name == own else (name, 1.4)
        axis.plot(progress, [schedule(float(r)) for r in progress], label=label, linewidth=width)
    axis.set_xlabel("progress r")
    axis.set_ylabel("share of tokens still hidden")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)
