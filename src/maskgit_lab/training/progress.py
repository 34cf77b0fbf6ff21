"""Lightning's progress bar with the name of the stage and without the logger's version."""

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar


class StageBar(TQDMProgressBar):
    """Show `Stage 1, epoch 3` and the logged metrics.

    Args:
        stage: name in front of the epoch.
    """

    def __init__(self, *, stage: str) -> None:
        super().__init__(leave=True)
        self.stage = stage

    def on_train_epoch_start(self, trainer: L.Trainer, *_: object) -> None:
        """Begin an epoch's bar."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(f"{self.stage}, epoch {trainer.current_epoch + 1}")

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, int | str | float | dict[str, float]]:
        """Return the metrics without the version number."""
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        return items
