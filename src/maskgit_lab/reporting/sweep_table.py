"""The runs of a sweep as a table: what they differ in, and their scores over seeds."""

from collections.abc import Iterable, Sequence

from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.marks import texts
from maskgit_lab.reporting.verdict import best_of
from maskgit_lab.runs.sweep import RunRecord, differing_keys, group_by_difference, shown_key, unfinished


def sweep_table(runs: Sequence[RunRecord], *, with_marks: bool = True) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows: a row per group with mean and spread over its completed runs, the best marked."""
    keys, names, groups = differing_keys(runs), _names(runs), group_by_difference(runs)
    columns = {name: texts(_spreads(groups.values(), name), score=name if with_marks else None) for name in names}
    rows = []
    for i, (values, group) in enumerate(groups.items()):
        states = ", ".join(f"{run.folder.name} {run.status}" for run in unfinished(group))
        done = sum(run.status == "completed" for run in group)
        rows.append([*values, str(done), *(columns[name][i] for name in names), states or "-"])
    return [*(shown_key(key) for key in keys), "n", *names, "not completed"], rows


def sweep_verdict(runs: Sequence[RunRecord]) -> list[str]:
    """Return a sentence per score: which difference is the best, or that the spread over seeds cannot tell."""
    keys, groups = differing_keys(runs), group_by_difference(runs)
    labels = [", ".join(f"{shown_key(key)} {value}" for key, value in zip(keys, values, strict=True)) for values in groups]
    said = []
    for name in _names(runs):
        there = [(label, spread) for label, spread in zip(labels, _spreads(groups.values(), name), strict=True) if spread]
        sentence = best_of([label for label, _ in there], [spread for _, spread in there], score=name)
        said += [sentence] if sentence else []
    return said


def _names(runs: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.scores()))


def _spreads(groups: Iterable[Sequence[RunRecord]], name: str) -> list[Spread | None]:
    """Return the spread of a score over the completed runs of each group, None where no run has it."""
    found = ([run.scores()[name] for run in group if run.status == "completed" and name in run.scores()] for group in groups)
    return [Spread.of(values) if values else None for values in found]
