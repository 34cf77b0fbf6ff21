"""Rows of the benchmark: a ratio or a number of seconds each, a table for the terminal and JSON with all that tells it apart."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import processor
from benchmarks.arithmetic import Operations
from benchmarks.measure import Paired
from maskgit_lab.machine.cores import visible_cores
from maskgit_lab.reporting.tables import render_table
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.precision import processor_name

RESULTS = Path(__file__).resolve().parent / "results"
HEADERS = ["work", "against", "result", "least", "most", "target", "seconds", "theirs", "counted", "of the rate"]


@dataclass(frozen=True)
class Row:
    """One comparison as a ratio."""

    work: str
    against: str
    ratio: float  # median; how many times as long the other side takes
    least: float
    most: float
    pairs: int
    seconds: float  # ours, median
    their_seconds: float
    key: str = ""  # what `benchmarks.targets` calls it
    target: float | None = None
    operations: Operations | None = None
    precision: str = "fp32"  # ours: fp32 or bf16
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
        counted, share = "-", "-"
        if self.operations:
            counted = f"{self.operations.counted_ratio(rates, self.precision):.2f}x"
            share = f"{100 * share_of_rate(self.operations, rates, self.precision, self.seconds):.0f} %"
        return [
            self.work, self.against, *(f"{x:.2f}x" for x in (self.ratio, self.least, self.most)),
            f"{self.target:g}x" if self.target else "-", f"{self.seconds:.3g}", f"{self.their_seconds:.3g}", counted, share,
        ]  # fmt: skip


@dataclass(frozen=True)
class Above:
    """One comparison as seconds that ours takes above the other side: of work that contains the other side's."""

    work: str
    against: str
    seconds_above: float  # median of the differences, pair by pair
    least: float
    most: float
    pairs: int
    seconds: float  # ours, median
    their_seconds: float
    key: str = ""
    target: float | None = None  # seconds above, at most
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, work: str, against: str, timed: Paired, **more: Any) -> "Above":
        """Return a row of timings."""
        above = [ours - theirs for ours, theirs in zip(timed.ours, timed.theirs, strict=True)]
        return cls(
            work, against, statistics.median(above), min(above), max(above), len(above),
            statistics.median(timed.ours), statistics.median(timed.theirs), **more,
        )  # fmt: skip

    def line(self) -> str:
        """Return the row in one line, for those who wait."""
        return (
            f"{self.work}: {self.seconds:.2f} s, {self.seconds_above:+.2f} s above {self.against} "
            f"({self.least:+.2f} to {self.most:+.2f})"
        )

    def cells(self, rates: dict[str, float]) -> list[Any]:
        """Return what the table shows."""
        above = (f"{x:+.2f} s" for x in (self.seconds_above, self.least, self.most))
        wanted = "-" if self.target is None else f"{self.target:+g} s"
        return [self.work, self.against, *above, wanted, f"{self.seconds:.3g}", f"{self.their_seconds:.3g}", "-", "-"]


def share_of_rate(operations: Operations, rates: dict[str, float], precision: str, seconds: float) -> float:
    """Return what part of its time the work would take if every product of the dense networks ran at the machine's rate."""
    return operations.seconds_at_full_rate(rates, precision) / seconds


def show(rows: Sequence[Row | Above], rates: dict[str, float]) -> str:
    """Return the table for the terminal."""
    rate = ", ".join(f"{name} {value / 1e9:.0f} GFLOP/s" for name, value in rates.items())
    return render_table(HEADERS, [row.cells(rates) for row in rows]) + f"\nMatrix products here: {rate}"


def write(group: str, rows: Sequence[Row | Above], rates: dict[str, float], device: torch.device, load: list[float]) -> Path:
    """Write a group's rows with command, commit, versions, machine and the instruction set that was used."""
    isa = instruction_set(device)
    content = {
        "command": "python -m benchmarks.run " + " ".join(sys.argv[1:]),
        "machine": machine(device),
        "instruction_set": isa,
        "emulated": device.type == "cpu" and isa != processor.widest_here(),
        "switches": processor.set_switches(),
        "threads": torch.get_num_threads(),
        "load_average_before_and_after": load,
        "matrix_rate_flops": rates,
        "provenance": provenance(),
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{group}_{isa}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def instruction_set(device: torch.device) -> str:
    """Return by what name results of this process on a device are kept."""
    return processor.in_use() if device.type == "cpu" else device.type


def machine(device: torch.device) -> str:
    """Return the name of the processor or GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {visible_cores()} cores"
