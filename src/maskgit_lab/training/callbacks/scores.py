"""Fill validation images each epoch and score them: the distance of distributions, and measures of the hole only.

Several processes share the images and gather features and sums before a score is computed, so that each image counts once. The
features and all arithmetic are float32 outside autocast: half precision moves the distance more than the seed does.
"""

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.data.image_set import InpaintSet, unit_range
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.frechet import FrechetDistance
from maskgit_lab.evaluation.hole_metrics import hole_metrics
from maskgit_lab.evaluation.output_scores import distance_name
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.precision import autocast_dtype


class InpaintingScores(Callback):
    """Log `val/fd_<extractor>` (decoded), `val/psnr_hole`, `val/ssim_hole` and `val/mae_hole` (composited).

    Args:
        images: validation images with holes and truth; the same images, holes and noise every epoch.
        settings: how to decode.
        extractor: features of the distance.
        every_n_epochs: how often.
        batch_size: images at once.
        seed: of the decoding noise.
    """

    def __init__(
        self,
        *,
        images: InpaintSet,
        settings: DecodeSettings,
        extractor: Extractor,
        every_n_epochs: int = 1,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"callbacks.scores.every_n_epochs must be at least 1, got {every_n_epochs}")
        self.val_set = images
        self.settings = settings
        self.every_n_epochs = every_n_epochs
        self.batch_size = batch_size
        self.seed = seed
        self.distance = FrechetDistance(extractor)
        self.hole_metrics = hole_metrics()
        self.distance_name = distance_name(extractor.name)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Fill, score and log; nothing in the sanity check."""
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        assert isinstance(pl_module, MaskedTokenModule)
        filler = Filler(pl_module.model, pl_module.tokenizer, self.settings, self.seed, autocast_dtype(str(trainer.precision)))
        self._update(filler, trainer.global_rank, trainer.world_size)
        for name, metric in {self.distance_name: self.distance, **self.hole_metrics}.items():
            pl_module.log(f"val/{name}", float(metric.compute()), sync_dist=True)  # the same number on every rank

    def _update(self, filler: Filler, rank: int, world_size: int) -> None:
        mine = np.arange(rank, len(self.val_set.images), world_size)
        if len(self.val_set.images) < world_size:
            raise ValueError(
                f"data.num_val_fills ({len(self.val_set.images)}) must be at least the number of processes ({world_size}): "
                "each fills its share. callbacks.scores=null leaves the scores out"
            )
        truth = self.val_set.truth
        assert truth is not None
        device = filler.tokenizer.device
        for metric in (self.distance, *self.hole_metrics.values()):
            metric.to(device).reset()
        for start in range(0, len(mine), self.batch_size):
            part = mine[start : start + self.batch_size]
            fill = filler.fill(self.val_set.images[part], self.val_set.holes[part], part.tolist())
            true, holes = unit_range(truth[part]).to(device), torch.from_numpy(self.val_set.holes[part]).to(device)
            self.distance.update(true, real=True)
            self.distance.update(unit_range(fill.decoded), real=False)
            for metric in self.hole_metrics.values():
                metric.update(unit_range(fill.composited), true, holes)
