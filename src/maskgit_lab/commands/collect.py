"""One table and one figure of a sweep, from the result.json of its jobs: the command `collect`, and the end of every sweep."""

import argparse
import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from maskgit_lab.commands.messages import is_the_users, one_line
from maskgit_lab.commands.sweep import num_jobs, started
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.reporting.markdown import escaped, printable
from maskgit_lab.reporting.marks import LEGEND
from maskgit_lab.reporting.sweep_table import sweep_table, sweep_verdict
from maskgit_lab.reporting.tables import render_markdown, render_table
from maskgit_lab.runs.folder import shown_path
from maskgit_lab.runs.sweep import RunRecord, read_sweep, unfinished


@dataclass(frozen=True)
class Collected:
    """The result of a sweep."""

    runs: list[RunRecord]
    text: str  # for the terminal


def collect(head: str | None) -> None:
    """Write and print the table of the sweep that the command line names; `head`: what `--help` begins with."""
    parser = argparse.ArgumentParser(
        prog="python -m maskgit_lab.collect", description=head, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="folder of the sweep, with its numbered run folders")
    parser.add_argument("--out", type=Path, help="where the files go (default: the sweep's folder)")
    arguments = parser.parse_args()
    try:
        print(collect_sweep(arguments.sweep, arguments.out).text)
    except Exception as error:
        if not is_the_users(error):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)


@contextmanager
def collected_at_the_end() -> Iterator[None]:
    """Make and show the table of a sweep that was started inside, also when jobs failed."""
    started.clear()
    try:
        yield
    finally:
        for folder in started:
            if any(folder.glob("*/config.yaml")):  # none when the sweep was refused
                print(collect_sweep(folder).text)


def collect_sweep(root: Path, out: Path | None = None) -> Collected:
    """Write table.md, table.csv and sweep.png of the sweep in `root`, as far as it has got, to `out` or there.

    Safe while the sweep runs. Raise FileNotFoundError when the folder holds no jobs.
    """
    from maskgit_lab.reporting.sweep_figure import save_sweep_figure  # needs matplotlib, which takes a while

    runs = read_sweep(root)
    headers, rows = sweep_table(runs)
    said = sweep_verdict(runs)
    notes = [*([LEGEND] if said else []), *said, *_notes(runs, num_jobs(root))]
    out = out or root
    markdown = f"# {escaped(f'Sweep {root.resolve().parent.name} ({root.resolve().name})')}\n\n{render_markdown(headers, rows)}\n"
    write_text(out / "table.md", markdown + "\n".join(f"- {escaped(note)}" for note in notes) + "\n")
    with whole_file(out / "table.csv") as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headers, *sweep_table(runs, with_marks=False)[1]])
    figure = save_sweep_figure(out / "sweep.png", runs)
    written = [out / "table.md", out / "table.csv", *([figure] if figure else [])]
    lines = ["", render_table(headers, rows), "", *notes, f"Written: {', '.join(shown_path(path) for path in written)}"]
    return Collected(runs, "\n".join(lines))


def _notes(runs: list[RunRecord], expected: int | None) -> list[str]:
    done = sum(run.status == "completed" for run in runs)
    missing = 0 if expected is None else expected - len(runs)
    first = f"{done} of {len(runs) + max(0, missing)} jobs completed"
    not_started = [f"{missing} not started"] if missing > 0 else []
    failures = [f"job {run.folder.name} {run.status}{_reason(run)}" for run in unfinished(runs)]
    shared = sum("trained_by" in run.result for run in runs)
    sharing = [f"{shared} jobs took over the training of another, from which they differ only in decoding"] if shared else []
    return ["; ".join([first, *not_started]), *sharing, *failures]


def _reason(run: RunRecord) -> str:
    if "error" not in run.result:
        return ""
    logs = sorted(run.folder.glob("*.log"))
    return f": {printable(' '.join(str(run.result['error']).split()))}" + (f" ({shown_path(logs[0])})" if logs else "")
