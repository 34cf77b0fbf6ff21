"""The jobs of a sweep as records, and what they differ in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import alive
from maskgit_lab.runs.recorded import read_recorded

# keys that say where and how a run was kept, not what it was
NOT_A_DIFFERENCE = ("seed", "name", "resume", "force", "tags", "notes", "paths.", "logger.")
RESOLUTION = "resolution"
FOLLOW_RESOLUTION = (
    "data.source.resolution", "tokenizer.model.img_resolution", "tokenizer.model.latent_resolution", "tokenizer.model.patch_size",
)  # fmt: skip
SHOWN_OUTPUT = "model, composited"
DAMAGED = "damaged"  # its config.yaml or result.json
DIED = "stopped without a word"  # killed, or the machine went down


@dataclass(frozen=True)
class RunRecord:
    """One job of a sweep."""

    folder: Path
    config: Mapping[str, Any]  # flat: data.batch_size -> 10
    result: Mapping[str, Any]  # of result.json; empty when there is none yet

    @property
    def status(self) -> str:
        """Return completed, failed, interrupted, running, how else it ended, damaged, or missing."""
        return str(self.result.get("status", "missing"))

    def scores(self) -> dict[str, float]:
        """Return the composited output's scores, the least validation loss first."""
        monitor = self.result.get("monitor", {})
        rows = [row for row in self.result.get("scores", []) if row["fill"] == SHOWN_OUTPUT]
        found = {str(monitor["name"]): monitor["best"]} if monitor else {}
        found |= {name: value for row in rows for name, value in row.items() if name != "fill"}
        return {name: math.nan if value is None else float(value) for name, value in found.items()}  # JSON has no NaN


def read_sweep(root: Path) -> list[RunRecord]:
    """Read the jobs of a sweep.

    Args:
        root: folder of the sweep.

    Returns:
        A record per job, in their order.

    Raises:
        FileNotFoundError: when the folder holds no jobs.
    """
    folders = sorted((path.parent for path in root.glob("*/config.yaml")), key=lambda path: (len(path.name), path.name))
    if not folders:
        raise FileNotFoundError(f"{root} is not a sweep: it has no numbered run folders (SWEEP/0/config.yaml)")
    return [_record(folder) for folder in folders]


def read_result(folder: Path) -> dict[str, Any]:
    """Return result.json of a run, {} when there is none; a run whose process is gone has died.

    Raise DamagedFileError, a ValueError, when the file is not what was written.
    """
    run = RunFolder(folder)
    content = run.read_result() if run.result.is_file() else {}
    if content.get("status") == "running" and not alive(content.get("process", {})):
        content["status"] = DIED
    return content


def _record(folder: Path) -> RunRecord:
    """Read one job; a file that is damaged makes it a job of that status, and the others are shown."""
    config: dict[str, Any] = {}
    try:
        config = _read_config(folder)
        return RunRecord(folder, config, read_result(folder))
    except (ValueError, OmegaConfBaseException) as error:
        return RunRecord(folder, config, {"status": DAMAGED, "error": str(error)})


def _read_config(folder: Path) -> dict[str, Any]:
    """Return the plain values of a run's config.yaml under dotted keys."""
    path = RunFolder(folder).config
    try:
        content: Any = OmegaConf.to_container(read_recorded(path), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    return flat(content)


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
    """Return the keys in which runs differ, without the seed and places; of a schedule only its name."""
    runs = [run for run in runs if run.config]  # one whose config.yaml is damaged differs in nothing that is known
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    differ = [key for key in keys if len({repr(run.config.get(key)) for run in runs}) > 1]
    differ = [key for key in differ if not key.startswith(NOT_A_DIFFERENCE)]
    if RESOLUTION in differ:
        differ = [key for key in differ if key not in FOLLOW_RESOLUTION]
    return [key for key in differ if not key.startswith("training.mask_schedule") or not _follows(runs, key)]


def _follows(runs: Sequence[RunRecord], key: str) -> bool:
    """Return whether the training schedule is that of the decoding in every run, as by default."""
    return all(run.config.get(key) == run.config.get(key.removeprefix("training.")) for run in runs)


def group_by_difference(runs: Sequence[RunRecord]) -> dict[tuple[str, ...], list[RunRecord]]:
    """Return runs by their values of the differing keys; runs of one group differ only in the seed."""
    keys = differing_keys(runs)
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in (run for run in runs if run.config):
        groups.setdefault(tuple(shown_value(run.config.get(key)) for key in keys), []).append(run)
    return groups


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
