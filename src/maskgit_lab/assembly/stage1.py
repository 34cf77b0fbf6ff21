"""Stage 1: find the tokenizer that a configuration asks for by its key (`keys`), or train it."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from maskgit_lab.assembly.config import build, plain
from maskgit_lab.assembly.keys import tokenizer_key
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.only_one import only_one
from maskgit_lab.models.tokenizer import FrozenTokenizer

log = logging.getLogger("maskgit_lab")


def find_or_train_tokenizer(cfg: DictConfig, splits: DataSplits, *, cache: Path, folder: Path) -> FrozenTokenizer:
    """Return the tokenizer: from `tokenizer.checkpoint`, from the cache, or trained now, by one process while others wait for it.

    Args:
        cfg: the whole configuration.
        splits: the pictures to train on.
        cache: derived files; a trained tokenizer goes to tokenizers/KEY/.
        folder: run folder for logs and pictures of a training.
    """
    if cfg.tokenizer.checkpoint:
        return _given(Path(cfg.tokenizer.checkpoint), cfg)
    key = tokenizer_key(cfg, splits)
    path = cache / "tokenizers" / key / "tokenizer.pt"
    if not path.is_file():
        with only_one(path):
            if not path.is_file():
                return _train_and_keep(cfg, splits, folder, path)
    log.info(f"Stage 1: tokenizer {key} found in the cache")
    return FrozenTokenizer.load(path)


def _train_and_keep(cfg: DictConfig, splits: DataSplits, folder: Path, path: Path) -> FrozenTokenizer:
    log.info(f"Stage 1: training tokenizer {path.parent.name} on {splits.description}")
    start = time.perf_counter()
    tokenizer, scores = _train(cfg, splits, folder, path.parent)
    scores = {"seconds": round(time.perf_counter() - start, 1), **scores}
    (path.parent / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    (path.parent / "config.json").write_text(json.dumps(plain(cfg.tokenizer), indent=2) + "\n")
    tokenizer.save(path)  # last: whoever finds it finds the rest
    log.info(f"Stage 1: done in {scores['seconds']:.0f} s, val PSNR {scores['val/psnr']:.2f} dB, kept at {path}")
    return tokenizer


def _given(path: Path, cfg: DictConfig) -> FrozenTokenizer:
    """Read one of our tokenizer files, or the lab's VQGAN.pt."""
    from maskgit_lab.interop.lab import load_vqgan

    if not path.is_file():
        raise FileNotFoundError(f"tokenizer.checkpoint: no file {path}")
    log.info(f"Stage 1: tokenizer from {path}")
    content = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, dict) and "format" in content:
        return FrozenTokenizer.load(path)
    return FrozenTokenizer(load_vqgan(path), mean=plain(cfg.tokenizer.mean), std=plain(cfg.tokenizer.std))


def stage1_precision(cfg: DictConfig) -> str:
    """Return the precision of stage 1: the run's, where stage 1 knows it (its gradients are not scaled as 16-mixed needs)."""
    from maskgit_lab.training.precision import resolve_precision

    known = cfg.trainer.precision in ("32-true", "bf16-mixed")
    memory = Path(cfg.paths.cache).expanduser() / "precision"
    return resolve_precision(cfg.trainer.precision if known else "auto", cfg.trainer.accelerator, memory=memory)[0]


def _train(
    cfg: DictConfig, splits: DataSplits, folder: Path, checkpoints: Path
) -> tuple[FrozenTokenizer, dict[str, Any]]:
    from maskgit_lab.training.tokenizer_training import train_tokenizer

    settings = plain(cfg.tokenizer.training)
    settings["perceptual"] = build(cfg.tokenizer.training.perceptual) if settings["perceptual"] else None
    settings["discriminator"] = build(cfg.tokenizer.training.discriminator) if settings["discriminator"] else None
    return train_tokenizer(
        model=build(cfg.tokenizer.model),
        splits=splits,
        mean=plain(cfg.tokenizer.mean),
        std=plain(cfg.tokenizer.std),
        flip=cfg.data.flip,
        seed=cfg.seed if cfg.tokenizer.seed is None else cfg.tokenizer.seed,
        accelerator=cfg.trainer.accelerator,
        precision=stage1_precision(cfg),
        folder=folder,
        checkpoints=checkpoints,
        **settings,
    )
