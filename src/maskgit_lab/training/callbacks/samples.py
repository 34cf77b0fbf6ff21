"""Show what the model fills in, epoch by epoch: strips of input, mask, steps, result and truth, on disk and in the loggers."""

from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.models.filling import Fill
from maskgit_lab.reporting.figures import save_strip, strip_image
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.precision import autocast_dtype

NUM_STEPS_SHOWN = 4


@dataclass(eq=False, kw_only=True)
class SampleStrips(Callback):
    """Write one figure per epoch and log one image per sample."""

    images: InpaintSet  # validation images with holes; the first `num_images` are shown, the same every epoch
    settings: DecodeSettings  # how to decode
    folder: Path  # where `epoch_0003.png` goes
    num_images: int = 4  # strips per epoch
    every_n_epochs: int = 1
    seed: int = 0  # of the decoding noise

    def __post_init__(self) -> None:
        for name in ("num_images", "every_n_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"callbacks.samples.{name} must be at least 1, got {getattr(self, name)}; callbacks.samples=null")

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Fill the samples and show them; nothing in the sanity check and on other ranks."""
        if trainer.sanity_checking or not trainer.is_global_zero or (trainer.current_epoch + 1) % self.every_n_epochs:
            return
        assert isinstance(pl_module, MaskedTokenModule)
        filler = Filler(pl_module.model, pl_module.tokenizer, self.settings, self.seed, autocast_dtype(str(trainer.precision)))
        images, holes, truth = self.images.images[: self.num_images], self.images.holes[: self.num_images], self.images.truth
        fill = filler.fill(images, holes, range(len(images)))
        shown = shown_steps(len(fill.trace.step_tokens))
        strips = sample_strips(fill, filler, images, holes, truth, steps=shown)
        path = self.folder / f"epoch_{trainer.current_epoch:04d}.png"
        save_strip(path, np.concatenate(strips), steps=[step + 1 for step in shown], with_truth=truth is not None)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("val/samples", [np.asarray(strip) for strip in strips])
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("val/samples", np.concatenate(strips), trainer.global_step, dataformats="HWC")


def shown_steps(num_steps: int) -> list[int]:
    """Return some steps, counted from 0, evenly from the first to the last."""
    return np.unique(np.linspace(0, num_steps - 1, min(NUM_STEPS_SHOWN, num_steps)).round().astype(int)).tolist()


def sample_strips(
    fill: Fill, filler: Filler, images: np.ndarray, holes: np.ndarray, truth: np.ndarray | None, *, steps: list[int]
) -> list[np.ndarray]:
    """Return one strip (input, mask, the given steps, result, truth) per image, uint8 (h, w, 3)."""
    given, hidden = (torch.from_numpy(np.array(array)) for array in (images, holes))
    predictions = [filler.pixels(fill.trace.step_tokens[step], given, hidden).cpu().numpy() for step in steps]
    return [
        strip_image(
            image=images[i],
            hole=holes[i],
            steps=[prediction[i] for prediction in predictions],
            result=fill.composited[i].cpu().numpy(),
            truth=None if truth is None else truth[i],
        )
        for i in range(len(images))
    ]
