"""metrics.csv, as Lightning's logger writes it: a row per logged step, a column per value, empty where nothing was logged."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from maskgit_lab.machine.whole_file import whole_file

VALIDATION_LOSS = "val/loss"  # every validated epoch has one
# columns that were measured on decoded images, by the settings of the run that trained
DECODED_SCORES = ("val/fd_", "val/fid", "val/psnr_hole", "val/ssim_hole", "val/mae_hole")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows as they are written, by column; a last row that was cut is left out.

    Raise ValueError when another row has not one cell a column.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        text = file.read()
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        del lines[-1]  # the process was killed while it wrote
    table = csv.reader(lines)
    header = next(table, [])
    return [dict(zip(header, cells, strict=False)) for cells in table if cells and _fits(cells, header, path, table.line_num)]


def write_rows(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
    """Replace the file in one step; a column that a row does not have is empty."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _fits(cells: list[str], header: list[str], path: Path, line: int) -> bool:
    if len(cells) != len(header) or any("\0" in cell for cell in cells):
        raise ValueError(f"{path}, line {line}: a damaged row; take the line out by hand, the others are kept")
    return True


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
