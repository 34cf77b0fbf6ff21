"""Training runs that others share: jobs that differ only in how they decode are trained once.

A training run is found by its key (`assembly.keys`). What is kept is a reference to the run that was trained and its
facts; another run takes the checkpoints as hard links, so nothing is stored twice.
"""

import logging
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.json_file import read_json, write_json
from maskgit_lab.machine.tensor_file import check_tensors
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.metrics_file import DECODED_SCORES, read_rows

log = logging.getLogger("maskgit_lab")

# facts of a training run that a run which takes it over reports as its own
FACTS = ("num_parameters", "epochs", "stopped_early", "monitor")


@dataclass(frozen=True)
class Trained:
    """A training run that was found."""

    folder: RunFolder  # the run that was trained
    facts: dict[str, Any]  # see FACTS, and the seconds it took


@dataclass(frozen=True)
class TrainedStore:
    """References to training runs in one folder, a small file for each."""

    folder: Path  # of a sweep or of the cache

    def path(self, key: str) -> Path:
        """Return the file of a key; lock it while training."""
        return self.folder / f"{key}.json"

    def find(self, key: str) -> Trained | None:
        """Return a training run whose files are still there and whole; the log says what is wrong with one that is not."""
        path = self.path(key)
        try:
            content = read_json(path, remedy="It is made again")
            run, facts = RunFolder((self.folder / content["run"]).resolve()), dict(content["facts"])
            best = facts["monitor"]["best"]
            facts["monitor"]["best"] = math.nan if best is None else best  # JSON has no NaN
            for name in ("best", "last"):
                check_tensors(run.checkpoint(name), remedy="It is trained again")
            read_rows(run.metrics)
        except FileNotFoundError:
            return None
        except (KeyError, TypeError):
            log.warning(f"Trained runs: {path} is not such a reference. It is made again")
            return None
        except DamagedFileError as error:
            log.warning(f"Trained runs: {error}")
            return None
        return Trained(run, facts)

    def keep(self, key: str, run: RunFolder, result: dict[str, Any]) -> None:
        """Note that a run was trained, by a path relative to this folder."""
        facts = {name: result[name] for name in FACTS} | {"seconds": result["seconds"]["stage_2"]}
        content = {"run": os.path.relpath(run.root.resolve(), self.folder.resolve()), "facts": facts}
        write_json(self.path(key), content)


def adopt(trained: Trained, run: RunFolder, result: dict[str, Any]) -> None:
    """Take over the checkpoints and the curves of another run, without the scores of its decoding."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    for source in sorted(trained.folder.checkpoints.glob("*.ckpt")):
        _link(source, run.checkpoints / source.name)
    result |= {name: trained.facts[name] for name in FACTS}
    result["seconds"]["stage_2"] = 0.0
    result["trained_by"] = {"run": str(trained.folder.root), "seconds": trained.facts["seconds"]}
    log.info(
        f"Stage 2: trained by {shown_path(trained.folder.root)}, which differs only in decoding; "
        f"best {result['monitor']['name']} {result['monitor']['best']:.4f}"
    )


def curves_of(trained: Trained) -> list[tuple[int, dict[str, float]]]:
    """Return (step, values) of a training run's curves, those without decoding."""
    curves = []
    for row in read_rows(trained.folder.metrics):
        measured = {name: float(value) for name, value in row.items() if value and not name.startswith(DECODED_SCORES)}
        curves.append((int(measured.pop("step")), measured))
    return curves


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; checkpoints are replaced, never written into, so that is as good as a copy."""
    beside = target.with_name(f"{target.name}.{os.getpid()}.partial")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:  # another file system, or one without links
        with whole_file(target, needed=source.stat().st_size) as partial:
            shutil.copyfile(source, partial)
        return
    beside.replace(target)
    beside.unlink(missing_ok=True)  # it is still there where both names were one file already
