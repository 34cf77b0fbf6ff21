"""Stage 1 from images to a frozen tokenizer: the trainer, its logs and its validation images."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor

from maskgit_lab.data.image_set import DataSplits, mirrored_images
from maskgit_lab.data.loader import ResumableLoader
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.training.divergence import DivergedError, require_finite_weights
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.stage_trainer import stage_trainer, whole_checkpoint
from maskgit_lab.training.tokenizer_module import REMEDIES, TokenizerModule

NUM_IMAGES = 8
VAL_BATCH_SIZE = 64
MAX_VAL_IMAGES = 512  # the PSNR of more moves in the second decimal only
CLEARLY_WORSE = 1.0  # dB; an untrained network makes about one colour

log = logging.getLogger("maskgit_lab")


def train_tokenizer(
    *,
    model: VQGAN | PatchVQGAN,
    splits: DataSplits,
    mean: Sequence[float],
    std: Sequence[float],
    flip: bool,
    seed: int,
    folder: Path,
    checkpoints: Path,
    max_steps: int,
    batch_size: int,
    val_every_n_steps: int,
    accelerator: str = "auto",
    precision: str = "32-true",
    **settings: Any,
) -> tuple[FrozenTokenizer, dict[str, float]]:
    """Train a tokenizer; return it frozen, and the last validation's scores by name.

    `splits`: train and val are used; `flip` mirrors half of the training images. `folder`: stage_1/ inside it gets metrics.csv and
    reconstructions. `checkpoints`: last.ckpt is kept here while training, and one that an interrupted run left is continued.
    `max_steps`: updates of the tokenizer. `precision`: Lightning's name of one. The others are those of TokenizerModule.
    """
    quiet_lightning()
    torch.manual_seed(seed)
    module = TokenizerModule(model=model, mean=mean, std=std, total_steps=max_steps, seed=seed, **settings)
    reconstructions = ReconstructionImages(images=np.array(splits.val.images[:NUM_IMAGES]), folder=folder / "stage_1")
    trainer = stage_trainer(
        stage="Stage 1", folder=folder, checkpoints=checkpoints, max_steps=max_steps, val_every_n_steps=val_every_n_steps,
        accelerator=accelerator, precision=precision, callbacks=[reconstructions],
    )  # fmt: skip
    unfinished = checkpoints / "last.ckpt"
    val_images = splits.val.images[:MAX_VAL_IMAGES]
    val_loader = _loader(val_images, batch_size=VAL_BATCH_SIZE, seed=seed, shuffle=False, flip=False)
    train_loader = _loader(splits.train.images, batch_size=batch_size, seed=seed, shuffle=True, flip=flip)
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=whole_checkpoint(unfinished, stage="Stage 1"), weights_only=True)
    except DivergedError:
        unfinished.unlink(missing_ok=True)  # the next run would go on behind the bad batch: another tokenizer under the same key
        raise
    best = module.best_model
    require_finite_weights(best.state_dict(), "stage 1 diverged, nothing is kept")
    scores = {name: float(value) for name, value in trainer.validate(module, val_loader, verbose=False)[0].items()}
    unfinished.unlink(missing_ok=True)
    say_what_has_not_learned(scores["val/psnr"], one_colour_psnr(np.asarray(val_images), mean))
    return FrozenTokenizer(best, mean=mean, std=std), scores


def say_what_has_not_learned(psnr: float, one_colour: float) -> None:
    """Warn of a tokenizer whose reconstructions are worse (in dB) than images of one colour: every weight is finite, yet wrong."""
    if psnr < one_colour - CLEARLY_WORSE:
        log.warning(
            f"Stage 1: a val PSNR of {psnr:.2f} dB is below that of images of one colour ({one_colour:.2f} dB): the tokenizer has "
            f"not learned, and nothing that uses it can be right. Try {REMEDIES}"
        )


def one_colour_psnr(images: np.ndarray, mean: Sequence[float]) -> float:
    """Return the mean PSNR in dB of the colour `mean`, per channel in [0, 1], against images (n, H, W, 3) uint8."""
    error = np.square(images / 255 - np.array(mean)).reshape(len(images), -1).mean(1)
    return float(-10 * np.log10(error.clip(min=1e-10)).mean())


def _loader(images: np.ndarray, *, batch_size: int, seed: int, shuffle: bool, flip: bool) -> ResumableLoader:
    """Serve images; mirrored copies count as images of their own."""
    num_images = len(images)

    def collate(indices: np.ndarray) -> dict[str, Tensor]:
        return {"images": torch.from_numpy(mirrored_images(images, indices))}

    return ResumableLoader(
        num_items=num_images * (2 if flip else 1), batch_size=min(batch_size, num_images), collate=collate, seed=seed,
        shuffle=shuffle, drop_last=shuffle,
    )  # fmt: skip


@dataclass(eq=False, kw_only=True)
class ReconstructionImages(Callback):
    """Write truth above reconstruction at every validation, `step_001000.png`."""

    images: np.ndarray
    folder: Path

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reconstruct the same images each time."""
        assert isinstance(pl_module, TokenizerModule)
        batch = torch.from_numpy(self.images).to(pl_module.device)
        with torch.no_grad():
            output = pl_module.best_model(pl_module.normalised(batch)).images
        pixels = (pl_module.pixels(output).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        rows = [np.concatenate(list(row), axis=1) for row in (self.images, pixels)]
        self.folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(rows)).save(self.folder / f"step_{trainer.global_step:06d}.png")
