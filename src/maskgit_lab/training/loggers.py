"""Loggers besides CSV: how they are made, what the final table and pictures become in them, and how they end."""

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from PIL import Image

log = logging.getLogger("maskgit_lab")

WANDB_ID_FILE = "run_id.txt"  # in wandb/ of the run folder
STEP = "trainer/global_step"  # Lightning's name for the x axis
SUMMARIES = {
    "val/loss": "min", "val/psnr_hole": "max", "val/ssim_hole": "max", "val/mae_hole": "min", "val/token_accuracy": "max",
}  # fmt: skip


def csv_logger(path: Path, *, resumed_step: int = 0) -> CSVLogger:
    """Write metrics.csv in the run folder; the rows before the step at which a run resumes are kept.

    Args:
        path: metrics.csv in the run folder.
        resumed_step: optimiser steps behind the checkpoint; 0 starts a new file.
    """
    rows: list[dict[str, str]] = []
    if resumed_step and path.is_file():
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) < resumed_step]
    logger = CSVLogger(save_dir=path.parent, name="", version="")
    for row in rows:  # Lightning's logger starts its file anew
        values: dict[str, torch.Tensor | float] = {
            name: float(value) for name, value in row.items() if value != "" and name != "step"
        }
        logger.log_metrics(values, step=int(row["step"]))
    return logger


def wandb_logger(
    *,
    folder: Path,
    project: str,
    name: str,
    offline: bool = True,
    group: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    provenance: Mapping[str, str] | None = None,
) -> WandbLogger:
    """Start a wandb run with its files in the run folder; a folder that already has a run continues that one.

    Without credentials or network a live run becomes an offline one, with a warning: a dashboard never stops a training.

    Args:
        folder: run folder; the files go to wandb/ inside it.
        offline: nothing leaves the machine.
        group: what the dashboard shows together, such as the jobs of a sweep.
        provenance: versions and commit, kept with the configuration.
    """
    import wandb

    known = folder / "wandb" / WANDB_ID_FILE
    run_id = known.read_text().strip() if known.is_file() else None

    def start(mode: Literal["online", "offline"]) -> Any:
        return wandb.init(
            dir=str(folder), project=project, name=name, group=group, tags=list(tags), notes=notes, mode=mode, id=run_id,
            resume="allow" if run_id and mode == "online" else None,  # offline files of one id are joined by `wandb sync`
            reinit="create_new", settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip

    try:
        run = start("offline" if offline else "online")
    except (wandb.errors.CommError, wandb.errors.UsageError) as error:
        log.warning(f"wandb cannot go online ({error}); this run is recorded offline. `wandb login`, then `wandb sync`")
        run = start("offline")
    known.parent.mkdir(exist_ok=True)
    known.write_text(run.id + "\n")
    run.config.update({"provenance": dict(provenance or {})}, allow_val_change=True)
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP, step_sync=True)
    for metric, summary in SUMMARIES.items():  # the table of runs shows the best value, not the last
        run.define_metric(metric, step_metric=STEP, step_sync=True, summary=summary)
    return WandbLogger(experiment=run, save_dir=str(folder))


def tensorboard_logger(*, folder: Path) -> TensorBoardLogger:
    """Write TensorBoard event files to tensorboard/ in the run folder.

    Raises:
        ValueError: when tensorboard is not installed; the message says how to get it.
    """
    try:
        return TensorBoardLogger(save_dir=str(folder), name="", version="tensorboard")
    except ModuleNotFoundError as error:
        raise ValueError("logger=tensorboard needs TensorBoard: pip install tensorboard") from error


def log_final(loggers: Sequence[Logger], rows: Sequence[dict[str, Any]], figures: Sequence[Path]) -> None:
    """Put the final table and the pictures into wandb and TensorBoard."""
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
