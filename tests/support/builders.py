"""Small things that tests of several folders need: images, a tokenizer, a model, files."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from PIL import Image

from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.datamodule import InpaintingDataModule, Serving
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet
from maskgit_lab.fast.model import FastModel
from maskgit_lab.models.context import PixelContext
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.transformer import BidirectionalTransformer
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning

RESOLUTION = 32


def pictures(count: int, *, seed: int = 0, resolution: int = RESOLUTION) -> np.ndarray:
    """Return coloured squares, uint8 (count, resolution, resolution, 3), no two alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(resolution // 8, 1).repeat(resolution // 8, 2)


def boxes(count: int, *, resolution: int = RESOLUTION) -> np.ndarray:
    """Return square holes at different places, bool (count, resolution, resolution)."""
    holes = np.zeros((count, resolution, resolution), dtype=bool)
    side = resolution // 3
    for i in range(count):
        top, left = (3 * i) % (resolution - side), (5 * i) % (resolution - side)
        holes[i, top : top + side, left : left + side] = True
    return holes


def image_set(count: int, *, seed: int = 0) -> ImageSet:
    return ImageSet(pictures(count, seed=seed), tuple(f"{i}.png" for i in range(count)), f"squares-{seed}-{count}")


def inpaint_set(count: int, *, seed: int = 9) -> InpaintSet:
    truth, holes = pictures(count, seed=seed), boxes(count)
    return InpaintSet.of(truth, holes, tuple(f"{i}.png" for i in range(count)), f"squares-{seed}-{count}-boxes")


def splits(*, train: int = 24, val: int = 8, test: int = 6) -> DataSplits:
    return DataSplits(image_set(train, seed=1), image_set(val, seed=2), inpaint_set(test), "coloured squares")


def tokenizer(*, seed: int = 0, num_codebook_vectors: int = 16) -> FrozenTokenizer:
    torch.default_generator.manual_seed(seed)  # the others are not drawn from
    model = PatchVQGAN(
        channels=8, num_blocks=1, latent_dim=4, img_resolution=RESOLUTION, num_codebook_vectors=num_codebook_vectors,
        beta=0.25, pixel_channels=4,
    )  # fmt: skip
    return FrozenTokenizer(model, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def transformer(**changes: Any) -> BidirectionalTransformer:
    sizes: dict[str, Any] = {
        "num_image_tokens": 64, "num_codebook_vectors": 16, "dim": 16, "num_layers": 1, "num_heads": 2,
        "hidden_dim": 24, "dropout": 0.1, "norm_first": True, "context_norm": True,
    }  # fmt: skip
    return BidirectionalTransformer(**{**sizes, **changes})


def model(*, seed: int = 0, context: bool = True, speed: str = "fast", **changes: Any) -> MaskedTokenModel:
    torch.default_generator.manual_seed(seed)  # the others are not drawn from
    reader = PixelContext(dim=16, grid=8, resolution=RESOLUTION, channels=8, num_blocks=1) if context else None
    plain = MaskedTokenModel(transformer=transformer(**changes), context=reader)
    return FastModel.of(plain) if speed == "fast" else plain


def datamodule(
    folder: Path, *, data: DataSplits | None = None, with_images: bool = True, seed: int = 0, **serving: Any
) -> InpaintingDataModule:
    """Return a data module of coloured squares; `serving` are fields of Serving."""
    return InpaintingDataModule(
        splits=data or splits(), tokenizer=tokenizer(), cache=folder, serving=Serving(**serving), with_images=with_images,
        seed=seed,
    )  # fmt: skip


def write_pictures(folder: Path, images: np.ndarray, *, name: str = "image_{:03d}.png", **save: Any) -> list[Path]:
    """Write uint8 images or boolean masks (white = True) and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name.format(i) for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image if image.dtype == np.uint8 else image.astype(np.uint8) * 255).save(path, **save)
    return paths


def stage_2(*, lr: float = 1e-2, matrix_lr: float | None = None, warmup_steps: int = 2, **changes: Any) -> MaskedTokenModule:
    """Return a small stage 2 of coloured squares."""
    arguments: dict[str, Any] = {
        "model": model(), "tokenizer": tokenizer(), "mask_schedule": Cosine(), "holes": torch.from_numpy(boxes(5)),
        "optimizer": AdamSettings(lr=lr, matrix_lr=matrix_lr, warmup_steps=warmup_steps), "seed": 5,
    }  # fmt: skip
    return MaskedTokenModule(**{**arguments, **changes})


def small_trainer(**flags: Any) -> L.Trainer:
    """Return a silent trainer of two epochs on the CPU; `flags` are Lightning's."""
    quiet_lightning()
    options: dict[str, Any] = {
        "max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
        "use_distributed_sampler": False, "gradient_clip_val": 1.0, "precision": "32-true", "num_sanity_val_steps": 0,
    }  # fmt: skip
    return L.Trainer(**{**options, **flags})
