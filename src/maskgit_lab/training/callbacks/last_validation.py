"""Validate where `trainer.max_steps` ends training within an epoch: the best weights are chosen by a validation."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class LastValidation(Callback):
    """Let Lightning validate after the last step, as it does when training is stopped early."""

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Ask for the stop that the number of steps brings anyway."""
        if trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True
