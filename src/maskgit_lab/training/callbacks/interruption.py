"""Ctrl-C between two batches, never inside one, so that the checkpoint it leaves continues exactly where training stopped."""

import logging
import signal
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

log = logging.getLogger("maskgit_lab")


class StopBetweenBatches(Callback):
    """Treat the first Ctrl-C like SIGTERM, which Lightning answers after the current batch; a second one stops at once.

    Lightning itself answers Ctrl-C wherever it strikes, which may be between an update of the weights and the count of that update.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._pressed = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take over Ctrl-C; by now Lightning listens to SIGTERM."""
        self._pressed = False
        self._before = signal.signal(signal.SIGINT, self._on_ctrl_c)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Give Ctrl-C back."""
        self._give_back()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give Ctrl-C back."""
        self._give_back()

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _on_ctrl_c(self, signal_number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        log.info("\nStopping after this batch; Ctrl-C again stops at once")
        signal.raise_signal(signal.SIGTERM)
