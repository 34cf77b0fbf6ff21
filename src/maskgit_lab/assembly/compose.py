"""From a configuration to the objects of a run: all that training needs, built once, in the order that reports mistakes early.

Below this file every constructor takes named values; a DictConfig goes no further.
"""

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from maskgit_lab.assembly.config import build, plain
from maskgit_lab.assembly.speed import FAST, at_speed, check_speed
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.data.datamodule import InpaintingDataModule
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.machine.ranks import process_rank, wait_for
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.compilation import compile_options
from maskgit_lab.training.devices import asks_for_one_device, check_accelerator
from maskgit_lab.training.loggers import csv_logger
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.precision import resolve_precision
from maskgit_lab.training.progress import StageBar
from maskgit_lab.training.quiet import quiet_lightning

log = logging.getLogger("maskgit_lab")

CHECK_RESOLUTION = 64  # pixels of the hole that is drawn to check the configuration


@dataclass(frozen=True)
class Run:
    """The objects of one run."""

    cfg: DictConfig
    folder: RunFolder
    splits: DataSplits
    tokenizer: FrozenTokenizer
    module: MaskedTokenModule
    datamodule: InpaintingDataModule
    trainer: L.Trainer
    extractor: Extractor
    settings: DecodeSettings


def compose(cfg: DictConfig, folder: RunFolder, loggers: list[Logger], *, sweep: Path | None = None) -> Run:
    """Build every object of a run; stage 1 is trained here when no cached tokenizer fits."""
    quiet_lightning()
    check_configuration(cfg)
    L.seed_everything(cfg.seed, verbose=False)
    cache = Path(cfg.paths.cache).expanduser()
    splits: DataSplits = build(cfg.data.source).load(cache=cache)
    log.info(f"Data: {splits.description}")
    settings = decode_settings(cfg)
    extractor = build(cfg.metrics.extractor)  # its weights are missed now, not after stage 1
    loggers += build_loggers(cfg, folder, sweep)
    if process_rank() == 0:
        tokenizer = find_or_train_tokenizer(cfg, splits, cache=cache, folder=folder.root)
        tokenizer.save(folder.tokenizer)
    else:
        tokenizer = FrozenTokenizer.load(wait_for(folder.tokenizer))
    datamodule = build_datamodule(cfg, splits, tokenizer, cache)
    torch.manual_seed(cfg.seed)  # the same start whether stage 1 was trained just now or found
    model = at_speed(cfg.get("speed", FAST), build_model(cfg, tokenizer), tokenizer, settings)
    options = compile_options(cfg.training.get("compile", False))
    if options is not None:
        model.transformer.compile_blocks(**options)
    holes = datamodule.train_holes() if cfg.training.mask_region == "hole" else None
    module = MaskedTokenModule(
        model=model,
        tokenizer=tokenizer,
        mask_schedule=build(cfg.training.mask_schedule),
        optimizer=build(cfg.optimizer),
        holes=holes,
        encode_masked=cfg.training.encode_masked,
        label_smoothing=cfg.training.label_smoothing,
        seed=cfg.seed,
    )
    extractor = with_tokenizer(extractor, tokenizer)
    callbacks = build_callbacks(cfg, folder, datamodule, settings, extractor)
    trainer = build_trainer(cfg, folder, loggers, callbacks)
    return Run(cfg, folder, splits, tokenizer, module, datamodule, trainer, extractor, settings)


def check_configuration(cfg: DictConfig) -> None:
    """Build what needs neither data nor a tokenizer, so that a mistake is reported before stage 1 is trained.

    Raises:
        ValueError: naming the key.
    """
    if cfg.callbacks.best is None:
        raise ValueError("callbacks.best is needed: the best weights are what is scored and drawn")
    check_accelerator(cfg.trainer.accelerator)
    check_speed(cfg.get("speed", FAST), decode_settings(cfg))
    build(cfg.optimizer)
    build(cfg.training.mask_schedule)
    compile_options(cfg.training.get("compile", False))
    draw_holes(
        style=cfg.data.hole_style, seed=0, indices=[0], resolution=CHECK_RESOLUTION, share=tuple(cfg.data.hole_share)
    )
    with torch.device("meta"):  # shapes alone
        transformer = build(cfg.model.transformer, num_image_tokens=1, num_codebook_vectors=1)
        if cfg.model.context is not None:
            build(cfg.model.context, dim=transformer.dim, grid=1, resolution=1)


def build_datamodule(
    cfg: DictConfig, splits: DataSplits, tokenizer: FrozenTokenizer, cache: Path
) -> InpaintingDataModule:
    """Build the data module; pictures travel with the tokens only where something reads them."""
    return InpaintingDataModule(
        splits=splits,
        tokenizer=tokenizer,
        cache=cache,
        batch_size=cfg.data.batch_size,
        val_batch_size=cfg.data.val_batch_size,
        flip=cfg.data.flip,
        with_images=cfg.training.mask_region == "hole",
        hole_style=cfg.data.hole_style,
        hole_share=tuple(cfg.data.hole_share),
        num_train_holes=cfg.data.num_train_holes,
        num_val_fills=cfg.data.num_val_fills,
        seed=cfg.seed,
        token_cache=cfg.data.get("cache", "on"),
    )


def build_model(cfg: DictConfig, tokenizer: FrozenTokenizer) -> MaskedTokenModel:
    """Build the network for a tokenizer's grid and codebook."""
    if cfg.training.mask_region not in ("hole", "grid"):
        raise ValueError(f"training.mask_region must be hole or grid, got {cfg.training.mask_region!r}")
    transformer = build(
        cfg.model.transformer,
        num_image_tokens=tokenizer.num_image_tokens,
        num_codebook_vectors=tokenizer.num_codebook_vectors,
    )
    context = None
    if cfg.model.context is not None:
        context = build(cfg.model.context, dim=transformer.dim, grid=tokenizer.grid, resolution=tokenizer.resolution)
    return MaskedTokenModel(transformer=transformer, context=context)


def decode_settings(cfg: DictConfig) -> DecodeSettings:
    """Read the decoding settings, checked before anything is trained."""
    keys = ("num_steps", "sweet_spot", "choice_temperature", "mask_dilation")
    values = {key: cfg.decode[key] for key in keys}
    # runs of before 0.2 do not have these
    since = {"refresh_every": cfg.decode.get("refresh_every"), "refresh_ring": cfg.decode.get("refresh_ring", 0)}
    return DecodeSettings(schedule=build(cfg.mask_schedule), **values, **since)


def with_tokenizer(extractor: Any, tokenizer: FrozenTokenizer) -> Extractor:
    """Return a feature extractor; one that reads the run's tokenizer is configured as a partial."""
    return extractor(tokenizer=tokenizer) if isinstance(extractor, functools.partial) else extractor


def build_loggers(cfg: DictConfig, folder: RunFolder, sweep: Path | None) -> list[Logger]:
    """Build CSV and whatever else is configured, and give them the configuration.

    The first process alone has dashboards; a sweep is a group in wandb.
    """
    loggers: list[Logger] = [csv_logger(folder.metrics, resumed_step=last_step(folder) if cfg.resume else 0)]
    kinds = [name for name in ("wandb", "tensorboard") if cfg.logger.get(name) is not None and process_rank() == 0]
    extra: dict[str, dict[str, Any]] = {"wandb": {"provenance": provenance()}}
    if sweep and "wandb" in kinds and cfg.logger.wandb.group is None:
        extra["wandb"]["group"] = f"{sweep.parent.name}-{sweep.name}"
    loggers += [build(cfg.logger[name], folder=folder.root, **extra.get(name, {})) for name in kinds]
    for logger in loggers:
        logger.log_hyperparams(plain(cfg))
    return loggers


def build_callbacks(
    cfg: DictConfig,
    folder: RunFolder,
    datamodule: InpaintingDataModule,
    settings: DecodeSettings,
    extractor: Extractor,
) -> list[Callback]:
    """Build the configured callbacks, scores and pictures before averaged weights, which swap the weights back."""
    nodes = {name: node for name, node in cfg.callbacks.items() if node is not None}
    pictures = datamodule.val_fills()
    objects: dict[str, dict[str, Any]] = {
        "best": {"dirpath": folder.checkpoints},
        "last": {"dirpath": folder.checkpoints},
        "scores": {"pictures": pictures, "settings": settings, "extractor": extractor, "seed": cfg.seed},
        "samples": {
            "pictures": pictures,
            "settings": settings,
            "folder": folder.figures / "samples",
            "seed": cfg.seed,
        },
    }
    names = sorted(nodes, key=lambda name: name == "ema")  # stable: ema goes last
    return [
        StageBar(stage="Stage 2"),
        StopBetweenBatches(record=folder.record_failure),
        *(build(nodes[name], **objects.get(name, {})) for name in names),
    ]


def build_trainer(cfg: DictConfig, folder: RunFolder, loggers: list[Logger], callbacks: list[Callback]) -> L.Trainer:
    """Build Lightning's trainer in the precision that suits the machine."""
    alone = asks_for_one_device(cfg.trainer.get("devices", 1), cfg.trainer.get("num_nodes", 1))
    memory = Path(cfg.paths.cache).expanduser() / "precision"
    precision, reason = resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator, alone=alone, memory=memory)
    log.info(f"Stage 2: {reason}")
    return build(
        cfg.trainer, precision=precision, logger=loggers, callbacks=callbacks, default_root_dir=str(folder.root)
    )


def last_step(folder: RunFolder) -> int:
    """Return the number of optimiser steps behind the last checkpoint."""
    return int(torch.load(folder.checkpoint("last"), map_location="cpu", weights_only=True)["global_step"])
