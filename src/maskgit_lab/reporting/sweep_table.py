"""The runs of a sweep as a table: what they differ in, and their scores over seeds."""

from collections.abc import Sequence

from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.runs.sweep import RunRecord, differing_keys, group_by_difference, shown_key, unfinished


def sweep_table(runs: Sequence[RunRecord]) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows: a row per group with mean and spread over its completed runs."""
    keys = differing_keys(runs)
    names = list(dict.fromkeys(name for run in runs for name in run.scores()))
    rows = []
    for values, group in group_by_difference(runs).items():
        done = [run.scores() for run in group if run.status == "completed"]
        cells = [
            str(Spread.of([scores[name] for scores in done if name in scores])) if any(name in s for s in done) else "-"
            for name in names
        ]
        states = ", ".join(f"{run.folder.name} {run.status}" for run in unfinished(group))
        rows.append([*values, str(len(done)), *cells, states or "-"])
    return [*(shown_key(key) for key in keys), "n", *names, "not completed"], rows
