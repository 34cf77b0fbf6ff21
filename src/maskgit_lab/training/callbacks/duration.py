"""Say early how long a stage will take: one line after its first steps, from what they took."""

import logging
import math
import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

log = logging.getLogger("maskgit_lab")

NUM_STEPS = 20  # that are measured; the one before them waits for what is made at the first use


class Duration(Callback):
    """Log how long training takes at the pace of its first steps; nothing when it is over by then.

    Args:
        stage: its name in the line.
    """

    def __init__(self, *, stage: str) -> None:
        self.stage = stage
        self._first = 0  # updates before
        self._begin: tuple[int, float] | None = None  # updates and time after the first one
        self._said = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Measure again when training goes on."""
        self._first, self._begin, self._said = trainer.global_step, None, False

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Take the time after the first update and after those that are measured."""
        step = trainer.global_step
        if self._said or step == self._first:
            return
        if self._begin is None:
            self._begin = step, self._now(pl_module)
        elif step - self._begin[0] >= NUM_STEPS:
            self._said = True
            steps, started = self._begin
            pace = (self._now(pl_module) - started) / (step - steps)
            total = float(trainer.estimated_stepping_batches) - self._first
            if math.isfinite(total) and total > step - self._first:
                with tqdm.external_write_mode():  # or the line would begin behind the bar
                    log.info(self._sentence(pace * total))

    def _sentence(self, seconds: float) -> str:
        return f"{self.stage}: {in_words(seconds)} at the pace of the first {NUM_STEPS} steps, validation and scores not counted"

    def _now(self, pl_module: L.LightningModule) -> float:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # steps are queued: the clock would run ahead of them
        return time.perf_counter()


def in_words(seconds: float) -> str:
    """Return a duration as people say it, no more exact than it is."""
    minutes = seconds / 60
    if seconds < 15:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} seconds"
    if minutes < 90:
        count = max(1, round(minutes))
        return f"about {count} minute{'s' if count > 1 else ''}"
    if minutes < 36 * 60:
        return f"about {round(minutes / 60)} hours"
    return f"about {round(minutes / 60 / 24)} days"
