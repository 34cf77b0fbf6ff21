"""Measure training images as validation images are measured: the gap between the two is the overfitting.

The running `train/loss` averages over fresh masks, dropout and weights that change; `train/fixed_loss` has the masks, the holes
and the evaluation mode of `val/loss`. Several processes share its batches as they share those of validation.
"""

from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from maskgit_lab.core.batch_share import BatchShare
from maskgit_lab.data.datamodule import InpaintingDataModule
from maskgit_lab.training.module import MaskedTokenModule


@dataclass(eq=False, kw_only=True)
class FixedTrainLoss(Callback):
    """Log `train/fixed_loss` at every validation."""

    num_images: int = 256  # training images, the same every time

    def __post_init__(self) -> None:
        if self.num_images < 1:
            raise ValueError(f"callbacks.fixed_train_loss.num_images must be at least 1, got {self.num_images}")

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Measure; nothing in the sanity check. Lightning has put the network in evaluation mode without gradients."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.sanity_checking or not isinstance(data, InpaintingDataModule):
            return
        assert isinstance(pl_module, MaskedTokenModule)
        total, count = torch.zeros((), device=pl_module.device), 0
        for number, indices in enumerate(self._batches(data, trainer.world_size)):
            share = BatchShare(len(indices), trainer.global_rank, trainer.world_size)
            own = share.own(torch.from_numpy(indices), -(-len(indices) // trainer.world_size))
            batch = pl_module.transfer_batch_to_device(data.batch("train", own.numpy()), pl_module.device, 0)
            with trainer.precision_plugin.forward_context():
                total += pl_module.measured_loss(batch, number, share) * len(indices)
            count += len(indices)
        pl_module.log("train/fixed_loss", total / count, sync_dist=True)

    def _batches(self, data: InpaintingDataModule, world_size: int) -> list[np.ndarray]:
        indices, size = (np.arange(min(self.num_images, len(data.splits.train))), data.serving.val_batch_size * world_size)
        return [indices[start : start + size] for start in range(0, len(indices), size)]
