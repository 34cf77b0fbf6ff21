"""Stage 1: find a configuration's tokenizer by its key (`keys`), or train it."""

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.keys import tokenizer_key
from maskgit_lab.assembly.schemas import TokenizerConfig, TrainConfig
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.only_one import only_one
from maskgit_lab.models.tokenizer import FrozenTokenizer

log = logging.getLogger("maskgit_lab")

NETWORKS = ("perceptual", "discriminator")  # of tokenizer.training: networks next to the tokenizer, or null


def find_or_train_tokenizer(config: TrainConfig, splits: DataSplits, *, folder: Path) -> FrozenTokenizer:
    """Find the tokenizer, or train it in one process while others wait for it.

    Args:
        config: of the run; a trained tokenizer goes to tokenizers/KEY/ in its cache.
        splits: the images to train on.
        folder: run folder for logs and reconstructions.

    Returns:
        The tokenizer: from `tokenizer.checkpoint`, from the cache, or trained now.
    """
    if config.tokenizer.checkpoint:
        return _given(Path(config.tokenizer.checkpoint), config.tokenizer)
    key = tokenizer_key(config, splits)
    path = config.paths.cache_folder / "tokenizers" / key / "tokenizer.pt"
    if not path.is_file():
        with only_one(path):
            if not path.is_file():
                return _train_and_keep(config, splits, folder, path)
    log.info(f"Stage 1: tokenizer {key} found in the cache")
    return FrozenTokenizer.load(path)


def _train_and_keep(config: TrainConfig, splits: DataSplits, folder: Path, path: Path) -> FrozenTokenizer:
    log.info(f"Stage 1: training tokenizer {path.parent.name} on {splits.description}")
    start = time.perf_counter()
    tokenizer, scores = _train(config, splits, folder, path.parent)
    scores = {"seconds": round(time.perf_counter() - start, 1), **scores}
    (path.parent / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    (path.parent / "config.json").write_text(json.dumps(asdict(config.tokenizer), indent=2) + "\n")
    tokenizer.save(path)  # last: when it is there, the rest is
    log.info(f"Stage 1: done in {scores['seconds']:.0f} s, val PSNR {scores['val/psnr']:.2f} dB, kept at {path}")
    return tokenizer


def _given(path: Path, config: TokenizerConfig) -> FrozenTokenizer:
    """Read one of our tokenizer files, or the lab's VQGAN.pt."""
    from maskgit_lab.interop.lab import load_vqgan

    if not path.is_file():
        raise FileNotFoundError(f"tokenizer.checkpoint: no file {path}")
    log.info(f"Stage 1: tokenizer from {path}")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, dict) and "format" in content:
        return FrozenTokenizer.load(path)
    return FrozenTokenizer(load_vqgan(path), mean=config.mean, std=config.std)


def stage1_precision(config: TrainConfig) -> str:
    """Return the precision of stage 1: the run's, where stage 1 knows it (its gradients are not scaled as 16-mixed needs)."""
    from maskgit_lab.training.precision import resolve_precision

    asked, accelerator = config.trainer["precision"], config.trainer["accelerator"]
    known = asked in ("32-true", "bf16-mixed")
    return resolve_precision(asked if known else "auto", accelerator, memory=precision_memory(config))[0]


def precision_memory(config: TrainConfig) -> Path:
    """Return the folder that keeps how fast this machine multiplies."""
    return config.paths.cache_folder / "precision"


def _train(config: TrainConfig, splits: DataSplits, folder: Path, checkpoints: Path) -> tuple[FrozenTokenizer, dict[str, Any]]:
    from maskgit_lab.training.tokenizer_training import train_tokenizer

    tokenizer = config.tokenizer
    built = {name: node and build(node) for name, node in tokenizer.training.items() if name in NETWORKS}
    return train_tokenizer(
        model=build(tokenizer.model),
        splits=splits,
        mean=tokenizer.mean,
        std=tokenizer.std,
        flip=config.data["flip"],
        seed=config.stage1_seed,
        accelerator=config.trainer["accelerator"],
        precision=stage1_precision(config),
        folder=folder,
        checkpoints=checkpoints,
        **{**tokenizer.training, **built},
    )
