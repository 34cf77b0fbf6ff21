"""Lightning's flags, before anything is loaded or trained: each means what its users mean by it, or is refused here.

A run ends with scores of its best weights, which a validation must have chosen; most refusals follow from that.
"""

import logging
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, Timer

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.flag_values import check_flag_values
from maskgit_lab.assembly.schemas import Group, TrainConfig
from maskgit_lab.training.devices import require_whole_weights
from maskgit_lab.training.precision import MEASURED, PRECISIONS

# flag -> where its value comes from
GIVEN = {"logger": "logger=csv|wandb|tensorboard", "callbacks": "the group callbacks", "default_root_dir": "paths.runs and name"}


def check_flags(config: TrainConfig) -> None:
    """Raise ValueError naming the flag of `trainer` or `callbacks` with which a run could not end as it should."""
    flags = config.trainer
    for name, group in GIVEN.items():
        if name in flags:
            raise ValueError(f"trainer.{name} is given by {group}")
    check_flag_values(config)
    _require_precision(flags, config.optimizer)
    trainer = _tried(flags)
    require_whole_weights(trainer)
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(callback, Timer) and not callback.time_remaining() for callback in callbacks):
        raise ValueError(f"trainer.max_time must be above 0, got {flags['max_time']}")


def show_summary(flags: Group) -> None:
    """Let Lightning's table of layers through, which it says in a log that is quiet here."""
    if flags.get("enable_model_summary"):
        logging.getLogger("lightning.pytorch.callbacks.model_summary").setLevel(logging.INFO)


def _tried(flags: Group) -> L.Trainer:
    """Return a trainer with these flags and nothing else: what Lightning refuses, it refuses now."""
    tried = {name: value for name, value in flags.items() if name != "precision"}
    try:
        trainer: L.Trainer = build(tried, precision="32-true", logger=False, callbacks=[ModelCheckpoint()])
    except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer


def _require_precision(flags: Group, optimizer: Group) -> None:
    precision = str(flags.get("precision", MEASURED))
    if precision not in PRECISIONS:
        raise ValueError(
            f"trainer.precision must be one of {', '.join(PRECISIONS)}, got {precision!r}: weights and losses are kept in float32"
        )
    if precision not in ("16-mixed", "16"):
        return
    if flags.get("gradient_clip_val"):
        raise ValueError(
            f"trainer.precision={precision} scales gradients and does not go with trainer.gradient_clip_val: use bf16-mixed, or "
            "trainer.gradient_clip_val=null"
        )
    if optimizer.get("matrix_lr") is not None:
        raise ValueError(
            f"trainer.precision={precision} does not go with optimizer.matrix_lr: use bf16-mixed, or optimizer.matrix_lr=null"
        )
