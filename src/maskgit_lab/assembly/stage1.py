"""Stage 1: find a configuration's tokenizer by its key (`keys`), or train it."""

import logging
import time
from dataclasses import asdict
from pathlib import Path

import torch

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.discriminator import build_discriminator
from maskgit_lab.assembly.keys import tokenizer_key
from maskgit_lab.assembly.schemas import TokenizerConfig, TrainConfig
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.only_one import only_one
from maskgit_lab.machine.json_file import to_json
from maskgit_lab.machine.tensor_file import load_tensors
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.models.tokenizer import FrozenTokenizer

log = logging.getLogger("maskgit_lab")


def find_or_train_tokenizer(config: TrainConfig, splits: DataSplits, *, folder: Path) -> FrozenTokenizer:
    """Find the tokenizer, or train it in one process while others wait for it.

    It comes from `tokenizer.checkpoint` or from tokenizers/KEY/ in the cache, or is trained now on `splits` and kept there, with
    logs and reconstructions in the run folder `folder`.
    """
    if config.tokenizer.checkpoint:
        return _given(Path(config.tokenizer.checkpoint), config.tokenizer, resolution=config.data["source"].get("resolution"))
    key = tokenizer_key(config, splits)
    path = config.paths.cache_folder / "tokenizers" / key / "tokenizer.pt"
    tokenizer = _cached(path)
    if tokenizer is None:
        with only_one(path):
            tokenizer = _cached(path, tell=True)
            if tokenizer is None:
                return _train_and_keep(config, splits, folder, path)
    log.info(f"Stage 1: tokenizer {key} found in the cache")
    return tokenizer


def _cached(path: Path, *, tell: bool = False) -> FrozenTokenizer | None:
    """Return the tokenizer in the cache; None when there is none, or when it is damaged, which `tell` says in the log."""
    try:
        return FrozenTokenizer.load(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        if tell:
            log.warning(f"Cache: {error}. Here it is made again")
        return None


def _train_and_keep(config: TrainConfig, splits: DataSplits, folder: Path, path: Path) -> FrozenTokenizer:
    from maskgit_lab.training.tokenizer_training import train_tokenizer

    precision = stage1_precision(config)
    log.info(f"Stage 1: training tokenizer {path.parent.name} in {precision} on {splits.description}")
    start = time.perf_counter()
    own = config.tokenizer
    torch.manual_seed(config.stage1_seed)  # the key names this seed, not what was drawn before, with any other
    perceptual = own.training["perceptual"]
    built = {
        "perceptual": None if perceptual is None else build(perceptual),
        "discriminator": build_discriminator(own.training["discriminator"], mean=own.mean, std=own.std),
    }
    tokenizer, scores = train_tokenizer(
        model=build(own.model), splits=splits, mean=own.mean, std=own.std, flip=config.data["flip"], seed=config.stage1_seed,
        accelerator=config.trainer["accelerator"], precision=precision, folder=folder, checkpoints=path.parent,
        **{**own.training, **built},
    )  # fmt: skip
    scores = {"seconds": round(time.perf_counter() - start, 1), **scores}
    write_text(path.parent / "scores.json", to_json(scores))
    write_text(path.parent / "config.json", to_json(asdict(own)))
    tokenizer.save(path)  # last: when it is there, the rest is
    path.with_suffix(".partial").unlink(missing_ok=True)  # earlier versions left it when they were killed
    log.info(f"Stage 1: done in {scores['seconds']:.0f} s, val PSNR {scores['val/psnr']:.2f} dB, kept at {path}")
    return tokenizer


def _given(path: Path, config: TokenizerConfig, *, resolution: int | None) -> FrozenTokenizer:
    """Read one of our tokenizer files, or the lab's VQGAN.pt, which takes images of any size.

    Raise ValueError when it is for images of another `resolution`.
    """
    from maskgit_lab.interop.lab import LAB_RESOLUTION, load_vqgan

    if not path.is_file():
        raise FileNotFoundError(f"tokenizer.checkpoint: no file {path}")
    log.info(f"Stage 1: tokenizer from {path}")
    content = load_tensors(
        path, what="a tokenizer", remedy="tokenizer.checkpoint takes tokenizer.pt or the lab's VQGAN.pt", own=False
    )
    if isinstance(content, dict) and "format" in content:
        tokenizer = FrozenTokenizer.load(path)
        if resolution is not None and tokenizer.resolution != resolution:
            raise ValueError(
                f"tokenizer.checkpoint={path} is for images of {tokenizer.resolution} pixels, these have {resolution}: "
                f"resolution={tokenizer.resolution}, or without tokenizer.checkpoint, so that one is trained"
            )
        return tokenizer
    return FrozenTokenizer(load_vqgan(path, LAB_RESOLUTION if resolution is None else resolution), mean=config.mean, std=config.std)


def stage1_precision(config: TrainConfig) -> str:
    """Return the precision of stage 1: the run's, where stage 1 knows it (its gradients are not scaled as 16-mixed needs)."""
    from maskgit_lab.training.precision import resolve_precision

    asked, accelerator = config.trainer["precision"], config.trainer["accelerator"]
    known = asked in ("32-true", "bf16-mixed")
    return resolve_precision(asked if known else "auto", accelerator, memory=config.paths.precision)[0]
