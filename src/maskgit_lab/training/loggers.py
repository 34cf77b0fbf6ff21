"""Loggers besides CSV: how they are made, how they get the final table and figures, and how they end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from PIL import Image

from maskgit_lab.machine.ranks import process_rank
from maskgit_lab.runs.metrics_file import read_rows, write_rows
from maskgit_lab.training.wandb_run import start


def csv_logger(path: Path, *, resumed_step: int = 0) -> CSVLogger:
    """Write `path`, metrics.csv in the run folder.

    The rows before `resumed_step`, the optimiser steps behind the checkpoint, are kept and stay in the file; 0 starts a new one.
    Only the first process of a run touches it.
    """
    logger = SavedCSVLogger(save_dir=path.parent, name="", version="")
    if process_rank() == 0:
        rows = [row for row in read_rows(path) if int(row["step"]) < resumed_step] if resumed_step and path.is_file() else []
        logger._experiment = KeptRows(path.parent, rows)
    return logger


class SavedCSVLogger(CSVLogger):
    """Lightning's logger, which here writes its rows with every checkpoint: what goes on from one has the curves up to it."""

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Write what was logged."""
        self.save()


class KeptRows(ExperimentWriter):
    """Lightning's writer of metrics.csv, which would delete the file and write the rows again when it has new ones.

    Here the file is replaced in one step, by what was kept and whenever a column is added: a process that is killed loses nothing.

    Args:
        folder: the run folder.
        rows: what is kept of the file, by column.
    """

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
        super().__init__(str(folder))
        path = Path(self.metrics_file_path)
        if rows:
            self.metrics_keys = sorted(set().union(*rows))
            write_rows(path, rows, self.metrics_keys)
        else:
            path.unlink(missing_ok=True)

    def _check_log_dir_exists(self) -> None:
        """Delete nothing."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        write_rows(path, read_rows(path), fieldnames)


def wandb_logger(*, folder: Path, **run: Any) -> WandbLogger:
    """Log to wandb; the arguments are those of `wandb_run.start`."""
    return WandbLogger(experiment=start(folder=folder, **run), save_dir=str(folder))


def tensorboard_logger(*, folder: Path) -> TensorBoardLogger:
    """Write TensorBoard event files to tensorboard/ in the run folder; a ValueError says how to get it when it is not installed."""
    try:
        return TensorBoardLogger(save_dir=str(folder), name="", version="tensorboard")
    except ModuleNotFoundError as error:
        raise ValueError("logger=tensorboard needs TensorBoard: pip install tensorboard") from error


def log_final(loggers: Sequence[Logger], rows: Sequence[dict[str, Any]], figures: Sequence[Path]) -> None:
    """Put the final table and the figures into wandb and TensorBoard."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            if rows:
                logger.log_table("test/table", columns=list(rows[0]), data=[list(row.values()) for row in rows])
                logger.experiment.summary.update(summary_values(rows))
            for path in figures:
                logger.log_image(f"figures/{path.stem}", [str(path)])
        elif isinstance(logger, TensorBoardLogger):
            for path in figures:
                pixels = np.asarray(Image.open(path).convert("RGB"))
                logger.experiment.add_image(f"figures/{path.stem}", pixels, dataformats="HWC")


def summary_values(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the model's scores under names that sort in a dashboard: test/decoded/fd_tokenizer."""
    values: dict[str, float] = {}
    for row in rows:
        if row["fill"].startswith("model, "):
            kind = row["fill"].removeprefix("model, ")
            values |= {f"test/{kind}/{name.replace(' ', '_')}": v for name, v in row.items() if name != "fill"}
    return values


def finish_wandb(loggers: Sequence[Logger], *, completed: bool) -> list[Path]:
    """End the wandb runs; return the folders of those that are offline."""
    folders = []
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            run = logger.experiment
            if run.settings.mode == "offline":
                folders.append(Path(run.settings.sync_dir))
            run.finish(exit_code=0 if completed else 1)
    return folders
