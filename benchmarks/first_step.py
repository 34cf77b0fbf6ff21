"""A callback that ends a training at the end of its first step, for the time from the command until then."""

import os
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class Leave(Callback):
    """Leaves without a word to anyone: what a training does at its end is no part of the time."""

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """End the process."""
        os._exit(0)
