"""Rows of the benchmark: one ratio each, printed as a table and written as JSON with everything that tells it from another run."""

import json
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Paired
from maskgit_lab.machine.cores import visible_cores
from maskgit_lab.reporting.tables import render_table
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.precision import processor_name

RESULTS = Path(__file__).resolve().parent / "results"
HEADERS = ["work", "against", "ratio", "least", "most", "target", "seconds", "theirs", "MFU fp32", "MFU bf16"]


@dataclass(frozen=True)
class Row:
    """One comparison."""

    work: str
    against: str
    ratio: float  # median; how many times as long the other side takes
    least: float
    most: float
    pairs: int
    seconds: float  # ours, median
    their_seconds: float
    target: float | None = None
    flops: float | None = None  # operations of the dense model for this work, ours
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, work: str, against: str, timed: Paired, **more: Any) -> "Row":
        """Return a row of timings."""
        return cls(
            work, against, timed.ratio, min(timed.ratios), max(timed.ratios), len(timed.ratios),
            statistics.median(timed.ours), statistics.median(timed.theirs), **more,
        )  # fmt: skip

    def line(self) -> str:
        """Return the row in one line, for those who wait."""
        return f"{self.work}, against {self.against}: {self.ratio:.2f}x ({self.least:.2f} to {self.most:.2f}), {self.seconds:.3g} s"

    def cells(self, rates: dict[str, float]) -> list[Any]:
        """Return what the table shows."""
        used = [100 * self.flops / self.seconds / rate if self.flops else None for rate in rates.values()]
        return [
            self.work, self.against, *(f"{x:.2f}x" for x in (self.ratio, self.least, self.most)),
            f"{self.target:g}x" if self.target else "-", f"{self.seconds:.3g}", f"{self.their_seconds:.3g}",
            *("-" if share is None else f"{share:.0f} %" for share in used),
        ]  # fmt: skip


def show(rows: list[Row], rates: dict[str, float]) -> str:
    """Return the table for the terminal."""
    rate = ", ".join(f"{name} {value / 1e9:.0f} GFLOP/s" for name, value in rates.items())
    return render_table(HEADERS, [row.cells(rates) for row in rows]) + f"\nMatrix products here: {rate}"


def write(group: str, rows: list[Row], rates: dict[str, float], device: torch.device, load: list[float]) -> Path:
    """Write a group's rows with command, commit, versions and machine."""
    content = {
        "command": "python -m benchmarks.run " + " ".join(sys.argv[1:]),
        "machine": machine(device),
        "threads": torch.get_num_threads(),
        "load_average_before_and_after": load,
        "matrix_rate_flops": rates,
        "provenance": provenance(),
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{group}_{device.type}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def machine(device: torch.device) -> str:
    """Return the name of the processor or GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {visible_cores()} cores"
