"""metrics.csv, as Lightning's logger writes it: a row per logged step, a column per value, empty where nothing was logged."""

import csv
import math
from pathlib import Path

import numpy as np

VALIDATION_LOSS = "val/loss"  # every validated epoch has one
# columns that were measured on decoded images, by the settings of the run that trained
DECODED_SCORES = ("val/fd_", "val/fid", "val/psnr_hole", "val/ssim_hole", "val/mae_hole")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows as they are written, by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_metrics(path: Path) -> dict[str, np.ndarray]:
    """Return Lightning's metrics.csv as name -> (n, 2) of (step, value); empty cells, NaN and infinity are left out."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in read_rows(path):
        for name, value in row.items():
            if name not in ("step", "epoch") and value and math.isfinite(float(value)):
                series.setdefault(name, []).append((float(row["step"]), float(value)))
    return {name: np.array(points) for name, points in series.items()}


def read_epochs(path: Path) -> list[dict[str, float]]:
    """Return what each validated epoch ended with, in order."""
    epochs: dict[int, dict[str, float]] = {}
    for row in read_rows(path):
        if row.get(VALIDATION_LOSS):
            values = {name: float(value) for name, value in row.items() if value}
            epochs[int(values["epoch"])] = values
    return [epochs[number] for number in sorted(epochs)]
