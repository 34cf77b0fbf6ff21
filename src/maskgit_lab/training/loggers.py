"""Loggers besides CSV: how they are made, what the final table and pictures become in them, and how they end."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image


def build_logger(kind: str, build: Callable[..., Logger], folder: Path, tags: Sequence[str], notes: str) -> Logger:
    """Build the wandb or TensorBoard logger with its files inside the run folder."""
    if kind == "tensorboard":
        return build(save_dir=str(folder))
    import wandb

    # silent: the run's own last lines say where the files are and how to upload them
    settings = wandb.Settings(silent=True, console="off")
    return build(save_dir=str(folder), tags=list(tags), notes=notes, settings=settings)


def log_final(loggers: Sequence[Logger], records: Sequence[dict[str, Any]], figures: Sequence[Path]) -> None:
    """Put the final table and the pictures into wandb and TensorBoard."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            if records:
                logger.log_table("test/table", columns=list(records[0]), data=[list(r.values()) for r in records])
            for path in figures:
                logger.log_image(f"figures/{path.stem}", [str(path)])
        elif isinstance(logger, TensorBoardLogger):
            for path in figures:
                pixels = np.asarray(Image.open(path).convert("RGB"))
                logger.experiment.add_image(f"figures/{path.stem}", pixels, dataformats="HWC")


def finish_wandb(loggers: Sequence[Logger]) -> str | None:
    """End the wandb run, if there is one; return its folder when it is offline."""
    if not any(isinstance(logger, WandbLogger) for logger in loggers):
        return None
    import wandb

    if wandb.run is None:
        return None
    folder = str(Path(wandb.run.dir).parent) if wandb.run.settings._offline else None
    wandb.finish()
    return folder
