"""What the command `collect` does: one table and one picture of a sweep, from the result.json of its jobs."""

import csv
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.config import plain
from maskgit_lab.evaluation.sweep_runs import RunRecord, flat, sweep_table, unfinished
from maskgit_lab.evaluation.tables import render_markdown, render_table
from maskgit_lab.load_run import load_config
from maskgit_lab.run_folder import RunFolder, shown_path
from maskgit_lab.sweep import num_jobs

DIED = "stopped without a word"  # killed, or the machine went down


@dataclass(frozen=True)
class Collected:
    """What a sweep came to."""

    runs: list[RunRecord]
    text: str  # for the terminal


def collect_sweep(root: Path, out: Path | None = None) -> Collected:
    """Write table.md, table.csv and sweep.png of a sweep, as far as it has got; safe while it runs.

    Args:
        root: folder of the sweep.
        out: where the files go; None = root.

    Raises:
        FileNotFoundError: when the folder holds no jobs.
    """
    runs = read_sweep(root)
    headers, rows = sweep_table(runs)
    notes = _notes(runs, num_jobs(root))
    out = out or root
    out.mkdir(parents=True, exist_ok=True)
    markdown = f"# Sweep {root.resolve().parent.name} ({root.resolve().name})\n\n{render_markdown(headers, rows)}\n"
    files = {"table.md": markdown + "\n".join(f"- {note}" for note in notes) + "\n"}
    written = [_write(out / name, text) for name, text in files.items()]
    written.append(_write_csv(out / "table.csv", headers, rows))
    written += _draw(out / "sweep.png", runs)
    lines = ["", render_table(headers, rows), "", *notes, f"Written: {', '.join(shown_path(path) for path in written)}"]
    return Collected(runs, "\n".join(lines))


def read_sweep(root: Path) -> list[RunRecord]:
    """Return the jobs of a sweep in their order.

    Raises:
        FileNotFoundError: when the folder holds no jobs.
    """
    folders = sorted((path.parent for path in root.glob("*/config.yaml")), key=lambda path: (len(path.name), path.name))
    if not folders:
        raise FileNotFoundError(f"{root} is not a sweep: it has no numbered run folders (SWEEP/0/config.yaml)")
    return [RunRecord(folder, flat(plain(load_config(folder))), read_result(folder)) for folder in folders]


def read_result(folder: Path) -> dict[str, Any]:
    """Return result.json of a run, {} when there is none; a run whose process is gone is said to have died."""
    path = RunFolder(folder).result
    content = dict(json.loads(path.read_text())) if path.is_file() else {}
    if content.get("status") == "running" and not _alive(content.get("process", {})):
        content["status"] = DIED
    return content


def _alive(process: Mapping[str, Any]) -> bool:
    """Return whether a process runs; one on another machine is believed to."""
    if process.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(process["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _notes(runs: list[RunRecord], expected: int | None) -> list[str]:
    done = sum(run.status == "completed" for run in runs)
    missing = 0 if expected is None else expected - len(runs)
    first = f"{done} of {len(runs) + max(0, missing)} jobs completed"
    not_started = [f"{missing} not started"] if missing > 0 else []
    failures = [f"job {run.folder.name} {run.status}{_reason(run)}" for run in unfinished(runs)]
    shared = sum("trained_by" in run.result for run in runs)
    sharing = (
        [f"{shared} jobs took over the training of another, from which they differ in decoding alone"] if shared else []
    )
    return ["; ".join([first, *not_started]), *sharing, *failures]


def _reason(run: RunRecord) -> str:
    if "error" not in run.result:
        return ""
    logs = sorted(run.folder.glob("*.log"))
    return f": {run.result['error']}" + (f" ({shown_path(logs[0])})" if logs else "")


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _write_csv(path: Path, headers: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([headers, *rows])
    return path


def _draw(path: Path, runs: list[RunRecord]) -> list[Path]:
    from maskgit_lab.evaluation.sweep_figure import save_sweep_figure

    drawn = save_sweep_figure(path, runs)
    return [drawn] if drawn else []
