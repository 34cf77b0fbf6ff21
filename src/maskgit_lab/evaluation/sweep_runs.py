"""The runs of a sweep side by side: what they differ in, and their scores over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.evaluation.spread import Spread

# keys that say where and how a run was kept, not what it was
NOT_A_DIFFERENCE = ("seed", "name", "resume", "tags", "notes", "paths.", "logger.")
SHOWN_OUTPUT = "model, composited"


@dataclass(frozen=True)
class RunRecord:
    """One job of a sweep."""

    folder: Path
    config: Mapping[str, Any]  # flat: data.batch_size -> 10
    result: Mapping[str, Any]  # of result.json; empty when there is none yet

    @property
    def status(self) -> str:
        """Return completed, failed, interrupted, running, how else it ended, or missing."""
        return str(self.result.get("status", "missing"))

    def scores(self) -> dict[str, float]:
        """Return the composited output's scores, the least validation loss first."""
        monitor = self.result.get("monitor", {})
        rows = [row for row in self.result.get("scores", []) if row["fill"] == SHOWN_OUTPUT]
        found = {str(monitor["name"]): float(monitor["best"])} if monitor else {}
        return found | {name: float(value) for row in rows for name, value in row.items() if name != "fill"}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted keys."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def differing_keys(runs: Sequence[RunRecord]) -> list[str]:
    """Return the keys in which runs differ, the seed and places apart; of a schedule its name alone."""
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    differ = [key for key in keys if len({repr(run.config.get(key)) for run in runs}) > 1]
    differ = [key for key in differ if not key.startswith(NOT_A_DIFFERENCE)]
    return [key for key in differ if not key.startswith("training.mask_schedule") or not _follows(runs, key)]


def _follows(runs: Sequence[RunRecord], key: str) -> bool:
    """Return whether the training schedule is that of the decoding in every run, as it is unless told otherwise."""
    return all(run.config.get(key) == run.config.get(key.removeprefix("training.")) for run in runs)


def group_by_difference(runs: Sequence[RunRecord]) -> dict[tuple[str, ...], list[RunRecord]]:
    """Return runs by their values of the differing keys; runs of one group differ in the seed alone."""
    keys = differing_keys(runs)
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(tuple(shown_value(run.config.get(key)) for key in keys), []).append(run)
    return groups


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


def unfinished(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the runs that have not been completed."""
    return [run for run in runs if run.status != "completed"]


def shown_key(key: str) -> str:
    """Return a key as tables and axes show it, and as one sets it on the command line: `mask_schedule`, not its `_target_`."""
    return key.removesuffix("._target_")


def shown_value(value: Any) -> str:
    """Return a value as a table shows it: of a dotted class path its last part."""
    text = str(value)
    return text.rsplit(".", 1)[-1] if text.startswith("maskgit_lab.") else text
