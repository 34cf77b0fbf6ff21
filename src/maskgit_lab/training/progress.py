"""Lightning's progress bar with the name of the stage, without the logger's version, and a few times a second at most."""

import math
import time

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar

# seconds between two updates: showing a metric waits for the device to finish the batch, after every batch if it may
MIN_PAUSE = 0.2


class StageBar(TQDMProgressBar):
    """Show `Stage 1, epoch 3` and the logged metrics.

    Args:
        stage: name in front of the epoch.
    """

    def __init__(self, *, stage: str) -> None:
        super().__init__(leave=True)
        self.stage = stage
        self._shown = -math.inf  # when it was updated last

    def on_train_epoch_start(self, trainer: L.Trainer, *_: object) -> None:
        """Begin an epoch's bar."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(f"{self.stage}, epoch {trainer.current_epoch + 1}")

    def _should_update(self, current: int, total: int) -> bool:
        """Return whether Lightning updates the bar after a batch: the last one, or one after a pause."""
        now = time.monotonic()
        if not super()._should_update(current, total) or (current != total and now - self._shown < MIN_PAUSE):
            return False
        self._shown = now
        return True

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, int | str | float | dict[str, float]]:
        """Return the metrics without the version number."""
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        return items
