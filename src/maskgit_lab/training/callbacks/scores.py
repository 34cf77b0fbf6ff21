"""Fill validation images each epoch and score them: the distance of distributions, and measures of the hole only.

Several processes share the images and gather features and sums before a score is computed, so that each image counts once. The
features and all arithmetic are float32 outside autocast: half precision moves the distance more than the seed does.
"""

from dataclasses import InitVar, dataclass

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


@dataclass(eq=False, kw_only=True)
class InpaintingScores(Callback):
    """Log `val/fd_<extractor>` (decoded), `val/psnr_hole`, `val/ssim_hole` and `val/mae_hole` (composited)."""

    images: InpaintSet  # validation images with holes and truth; the same images, holes and noise every epoch
    settings: DecodeSettings  # how to decode
    extractor: InitVar[Extractor]  # features of the distance
    every_n_epochs: int = 1
    batch_size: int = 64  # images at once
    seed: int = 0  # of the decoding noise

    def __post_init__(self, extractor: Extractor) -> None:
        for name in ("every_n_epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"callbacks.scores.{name} must be at least 1, got {getattr(self, name)}")
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
        images, all_holes, truth = self.images.images, self.images.holes, self.images.truth
        mine = np.arange(rank, len(images), world_size)
        if len(images) < world_size:
            raise ValueError(
                f"data.num_val_fills ({len(images)}) must be at least the number of processes ({world_size}): "
                "each fills its share. callbacks.scores=null leaves the scores out"
            )
        assert truth is not None
        device = filler.tokenizer.device
        for metric in (self.distance, *self.hole_metrics.values()):
            metric.to(device).reset()
        for start in range(0, len(mine), self.batch_size):
            part = mine[start : start + self.batch_size]
            fill = filler.fill(images[part], all_holes[part], part.tolist())
            true, holes = unit_range(truth[part]).to(device), torch.from_numpy(all_holes[part]).to(device)
            self.distance.update(true, real=True)
            self.distance.update(unit_range(fill.decoded), real=False)
            for metric in self.hole_metrics.values():
                metric.update(unit_range(fill.composited), true, holes)
