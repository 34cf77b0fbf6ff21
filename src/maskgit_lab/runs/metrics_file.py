"""metrics.csv, as Lightning's logger writes it: a row per logged step, a column per value, empty where nothing was logged."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.whole_file import whole_file

REMEDY = "Restore it from a copy of the run, or remove it: curves are drawn from it, weights do not depend on it"
VALIDATION_LOSS = "val/loss"  # every validated epoch has one
# columns that were measured on decoded images, by the settings of the run that trained
DECODED_SCORES = ("val/fd_", "val/fid", "val/psnr_hole", "val/ssim_hole", "val/mae_hole")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows as they are written, by column.

    A last row that was cut off is dropped. Raise DamagedFileError, a ValueError naming the line, when the file is no such table.
    """
    text = _decoded(path)
    if not text.strip():
        raise DamagedFileError(f"{path} is empty. {REMEDY}")
    whole = text[: text.rfind("\n") + 1]  # a row that was being written has no end
    try:
        table = csv.DictReader(io.StringIO(whole, newline=""))
        rows = list(table)
    except csv.Error as error:
        raise DamagedFileError(f"{path} is damaged: {error}. {REMEDY}") from error
    if whole and "step" not in (table.fieldnames or ()):
        raise DamagedFileError(f"{path} is no table of a run: it has no column step. {REMEDY}")
    for number, row in enumerate(rows, start=2):
        problem = _problem(row)
        if problem:
            raise DamagedFileError(f"{path} is damaged: line {number}{problem}. {REMEDY}")
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
    """Replace the file in one step; a column that a row does not have is empty."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path} is damaged: {error}. {REMEDY}") from error


def _problem(row: dict[str, str]) -> str | None:
    """Say what is wrong with a row, None when nothing is."""
    if None in row or None in row.values():
        return " has another number of columns than the first"
    if not row["step"].isdigit():
        return f" has no step, but {row['step']!r}"
    for name, value in row.items():
        try:
            float(value or 0)
        except ValueError:
            return f" has no number in {name}, but {value!r}"
    return None


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
            if "epoch" not in values:
                raise DamagedFileError(f"{path} is damaged: a row with {VALIDATION_LOSS} has no epoch. {REMEDY}")
            epochs[int(values["epoch"])] = values
    return [epochs[number] for number in sorted(epochs)]
