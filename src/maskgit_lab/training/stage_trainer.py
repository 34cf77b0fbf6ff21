"""The trainer of a stage that counts steps: stage 1 and the decoder. Its checkpoint is in the cache until the stage is done."""

import logging
from collections.abc import Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.checkpoint import read_checkpoint
from maskgit_lab.training.callbacks.duration import Duration
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.callbacks.throughput import Throughput
from maskgit_lab.training.checkpoint_files import WholeCheckpoints
from maskgit_lab.training.progress import StageBar

log = logging.getLogger("maskgit_lab")


def stage_trainer(
    *,
    stage: str,
    folder: Path,
    checkpoints: Path,
    max_steps: int,
    val_every_n_steps: int,
    accelerator: str,
    precision: str,
    callbacks: Sequence[Callback] = (),
    limit_val_batches: int | None = None,
) -> L.Trainer:
    """Return a trainer on one device.

    Args:
        stage: its name in messages, "Stage 1".
        folder: the run folder; stage_1/ inside it gets metrics.csv.
        checkpoints: last.ckpt is kept here, at every validation and when training is interrupted.
        max_steps: updates.
        val_every_n_steps: between two validations.
        accelerator: Lightning's name of one.
        precision: Lightning's name of one.
        callbacks: further ones.
        limit_val_batches: largest number of batches in a validation, None = all.

    Returns:
        The trainer.
    """
    last = ModelCheckpoint(
        dirpath=checkpoints, filename="last", save_on_exception=True, enable_version_counter=False,
        save_on_train_epoch_end=False,  # at every validation instead
    )  # fmt: skip
    return L.Trainer(
        max_steps=max_steps, accelerator=accelerator, devices=1,
        precision=precision,  # type: ignore[arg-type]
        logger=CSVLogger(save_dir=folder, name="", version=stage.lower().replace(" ", "_")), default_root_dir=str(folder),
        callbacks=[
            StageBar(stage=stage), Duration(stage=stage), StopBetweenBatches(), last, *callbacks, Throughput(),
            LearningRateMonitor(logging_interval="step"),
        ],
        val_check_interval=val_every_n_steps, check_val_every_n_epoch=None, limit_val_batches=limit_val_batches,
        num_sanity_val_steps=0, log_every_n_steps=20, enable_model_summary=False, use_distributed_sampler=False,
        plugins=[WholeCheckpoints()],
    )  # fmt: skip


def whole_checkpoint(path: Path, *, stage: str) -> Path | None:
    """Return the checkpoint of an interrupted stage, None when there is none or it is damaged, which the log says."""
    try:
        read_checkpoint(path)
    except FileNotFoundError:
        return None
    except DamagedFileError as error:
        log.warning(f"Cache: {error}. {stage} begins anew")
        return None
    return path
