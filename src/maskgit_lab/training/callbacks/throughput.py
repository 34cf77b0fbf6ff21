"""Log how many images per second training processes."""

import time
from dataclasses import dataclass
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


@dataclass(eq=False, kw_only=True)
class Throughput(Callback):
    """Log `train/images_per_second` every so many optimiser steps, without validation time."""

    every_n_steps: int = 20
    _images, _since = 0, 0.0  # since the last log

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start counting."""
        self._restart()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: dict[str, Any], batch_idx: int
    ) -> None:
        """Count a batch and log now and then."""
        self._images += len(next(iter(batch.values()))) * trainer.world_size
        if trainer.global_step % self.every_n_steps == 0:
            elapsed = max(time.perf_counter() - self._since, 1e-9)
            pl_module.log("train/images_per_second", self._images / elapsed)
            self._restart()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave validation out of the time."""
        self._restart()

    def _restart(self) -> None:
        self._images, self._since = 0, time.perf_counter()
