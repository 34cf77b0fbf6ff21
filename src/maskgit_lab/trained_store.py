"""Trainings that runs share: jobs that differ only in how they decode need one training between them.

A training is found by a hash of all that its weights depend on. What is kept is a reference to the run that was trained and the
facts of its training; another run takes the checkpoints as hard links, so nothing is stored twice.
"""

import csv
import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from maskgit_lab.config import plain
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.run_folder import RunFolder, shown_path

log = logging.getLogger("maskgit_lab")

# raise it when the training code changes what comes out for the same configuration
STAGE2_VERSION = 1

# what weights do not depend on: names and places, decoding, and callbacks that only look
INDEPENDENT: tuple[str, ...] = (
    "name",
    "tags",
    "notes",
    "resume",
    "reuse",
    "paths",
    "logger",
    "metrics",
    "decode",
    "mask_schedule",
)
ONLY_LOOKING = ("scores", "samples", "learning_rate", "throughput", "fixed_train_loss")
# these come in by what they produce: the pictures' fingerprints, the tokenizer's hash
BY_CONTENT = (
    "tokenizer",
    "data.source",
    "data.root",
    "data.split",
    "data.masks",
    "data.test_root",
    "data.num_val_fills",
)
# monitored values that no decoding goes into
LOSSES = ("val/loss", "train/loss", "val/token_accuracy", "train/token_accuracy", "train/fixed_loss")
# columns of metrics.csv that were measured on decoded pictures, with the settings of the run that trained
DECODED_SCORES = ("val/fd_", "val/fid", "val/psnr_hole", "val/ssim_hole", "val/mae_hole")
# facts of a training that a run which takes it over reports as its own
FACTS = ("num_parameters", "epochs", "stopped_early", "monitor")


@dataclass(frozen=True)
class Trained:
    """A training that was found."""

    folder: RunFolder  # the run that was trained
    facts: dict[str, Any]  # see FACTS, and the seconds it took


def training_key(cfg: DictConfig, splits: DataSplits, tokenizer: FrozenTokenizer) -> str:
    """Return 16 hex digits over all that the weights of stage 2 depend on."""
    content = plain(cfg)
    watched = {node["monitor"] for node in content["callbacks"].values() if node and "monitor" in node}
    if watched <= set(LOSSES):
        for name in ONLY_LOOKING:
            content["callbacks"].pop(name, None)
        independent = INDEPENDENT
    else:  # scores of decoded pictures choose the epoch
        independent = tuple(name for name in INDEPENDENT if name not in ("decode", "mask_schedule", "metrics"))
    for name in (*independent, *BY_CONTENT):
        group, _, key = name.partition(".")
        (content[group] if key else content).pop(key or group, None)
    content |= {
        "version": STAGE2_VERSION,
        "pictures": [splits.train.fingerprint, splits.val.fingerprint],
        "tokenizer_sha256": tokenizer.sha256,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class TrainedStore:
    """References to trainings in one folder, a small file for each.

    Args:
        folder: of a sweep or of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Return the file of a key; lock it while a training is under way."""
        return self.folder / f"{key}.json"

    def find(self, key: str) -> Trained | None:
        """Return a training whose checkpoints are still there."""
        path = self.path(key)
        if not path.is_file():
            return None
        content = json.loads(path.read_text())
        run = RunFolder((self.folder / content["run"]).resolve())
        whole = all((run.checkpoints / f"{name}.ckpt").is_file() for name in ("best", "last"))
        return Trained(run, content["facts"]) if whole else None

    def keep(self, key: str, run: RunFolder, result: dict[str, Any]) -> None:
        """Note that a run was trained, by a path relative to this folder."""
        facts = {name: result[name] for name in FACTS} | {"seconds": result["seconds"]["stage_2"]}
        content = {"run": os.path.relpath(run.root.resolve(), self.folder.resolve()), "facts": facts}
        partial = self.path(key).with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=2) + "\n")
        partial.replace(self.path(key))


def adopt(trained: Trained, run: RunFolder, result: dict[str, Any]) -> None:
    """Take over the checkpoints and the curves of another run, without the scores of its decoding."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    for source in sorted(trained.folder.checkpoints.glob("*.ckpt")):
        _link(source, run.checkpoints / source.name)
    result |= {name: trained.facts[name] for name in FACTS}
    result["seconds"]["stage_2"] = 0.0
    result["trained_by"] = {"run": str(trained.folder.root), "seconds": trained.facts["seconds"]}
    log.info(
        f"Stage 2: trained by {shown_path(trained.folder.root)}, which differs in decoding alone; "
        f"best {result['monitor']['name']} {result['monitor']['best']:.4f}"
    )


def curves_of(trained: Trained) -> list[tuple[int, dict[str, float]]]:
    """Return (step, values) of a training's curves, those that no decoding goes into."""
    with trained.folder.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            int(row["step"]),
            {
                name: float(value)
                for name, value in row.items()
                if name != "step" and value and not name.startswith(DECODED_SCORES)
            },
        )
        for row in rows
    ]


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)  # checkpoints are replaced, never written into, so a link is as good as a copy
    except OSError:  # another file system
        shutil.copy2(source, target)
