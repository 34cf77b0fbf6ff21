"""The composition root of stage 2: from a configuration to a trained, scored and pictured run.

Everything below this file takes named values; only here, in config.py, stage1.py and the commands is there a DictConfig.
"""

import functools
import logging
import math
import os
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.config import build, plain
from maskgit_lab.data.datamodule import InpaintingDataModule
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.models.filling import DecodeSettings
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.run_folder import RunFolder, provenance
from maskgit_lab.stage1 import find_or_train_tokenizer
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.loggers import csv_logger
from maskgit_lab.training.module import MaskedTokenModule, require_same_tokenizer
from maskgit_lab.training.precision import autocast_dtype, resolve_precision
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


def run_experiment(cfg: DictConfig, root: Path) -> float:
    """Train, score and picture one configuration in a run folder; return the monitored metric.

    `result.json` is written whatever happens; its status is completed, interrupted or failed.
    """
    folder = RunFolder(root)
    OmegaConf.save(cfg, folder.config, resolve=True)
    result: dict[str, Any] = {"status": "running", "name": cfg.name, "seed": cfg.seed, "provenance": provenance()}
    folder.write_result(result)
    loggers: list[Logger] = []
    try:
        start = time.perf_counter()
        run = compose(cfg, folder, loggers)
        result["seconds"] = {"data_and_stage_1": round(time.perf_counter() - start, 1)}
        result |= {"data": run.splits.description, "tokenizer_sha256": run.tokenizer.sha256}
        fit(run, result)
        score_and_draw(run, result, loggers)
        result["status"] = "completed"
        return float(result["monitor"]["best"])
    except (KeyboardInterrupt, SystemExit):
        result["status"] = "interrupted"
        log.info(how_to_go_on(folder))
        raise
    except BaseException as error:
        result |= {"status": "failed", "error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        raise
    finally:
        folder.write_result(result)
        close_loggers(loggers, result["status"])


def how_to_go_on(folder: RunFolder) -> str:
    """Return what to type after an interruption."""
    if not (folder.checkpoints / "last.ckpt").is_file():
        return "\nStopped before stage 2; the same command goes on from here"
    return f"\nStopped. To go on: python -m maskgit_lab.train resume={shown_path(folder.root)}"


def compose(cfg: DictConfig, folder: RunFolder, loggers: list[Logger]) -> Run:
    """Build every object of a run; stage 1 is trained here when no cached tokenizer fits."""
    quiet_lightning()
    check_configuration(cfg)
    L.seed_everything(cfg.seed, verbose=False)
    cache = Path(cfg.paths.cache).expanduser()
    splits: DataSplits = build(cfg.data.source).load(cache=cache)
    log.info(f"Data: {splits.description}")
    settings = decode_settings(cfg)
    tokenizer = find_or_train_tokenizer(cfg, splits, cache=cache, folder=folder.root)
    tokenizer.save(folder.tokenizer)
    datamodule = build_datamodule(cfg, splits, tokenizer, cache)
    torch.manual_seed(cfg.seed)  # the same start whether stage 1 was trained just now or found
    model = build_model(cfg, tokenizer)
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
    extractor = build_extractor(cfg, tokenizer)
    loggers += build_loggers(cfg, folder)
    callbacks = build_callbacks(cfg, folder, datamodule, settings, extractor)
    trainer = build_trainer(cfg, folder, loggers, callbacks)
    return Run(cfg, folder, splits, tokenizer, module, datamodule, trainer, extractor, settings)


def check_configuration(cfg: DictConfig) -> None:
    """Build what needs neither data nor a tokenizer, so that a mistake is reported before stage 1 is trained.

    Raises:
        ValueError: naming the key.
    """
    decode_settings(cfg)
    build(cfg.optimizer)
    build(cfg.training.mask_schedule)
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
    return DecodeSettings(schedule=build(cfg.mask_schedule), **{key: cfg.decode[key] for key in keys})


def build_extractor(cfg: DictConfig, tokenizer: FrozenTokenizer) -> Extractor:
    """Build the feature extractor; one that reads the run's tokenizer is configured as a partial."""
    extractor = build(cfg.metrics.extractor)
    return extractor(tokenizer=tokenizer) if isinstance(extractor, functools.partial) else extractor


def build_loggers(cfg: DictConfig, folder: RunFolder) -> list[Logger]:
    """Build CSV and whatever else is configured, give them the configuration, and say where to look."""
    loggers: list[Logger] = [csv_logger(folder.root, resumed_step=last_step(folder) if cfg.resume else 0)]
    kinds = [name for name in ("wandb", "tensorboard") if cfg.logger.get(name) is not None]
    loggers += [build(cfg.logger[name], folder=folder.root) for name in kinds]
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
        StopBetweenBatches(),
        *(build(nodes[name], **objects.get(name, {})) for name in names),
    ]


def build_trainer(cfg: DictConfig, folder: RunFolder, loggers: list[Logger], callbacks: list[Callback]) -> L.Trainer:
    """Build Lightning's trainer in the precision that suits the machine."""
    precision, reason = resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator)
    log.info(f"Stage 2: {reason}")
    return build(
        cfg.trainer, precision=precision, logger=loggers, callbacks=callbacks, default_root_dir=str(folder.root)
    )


def fit(run: Run, result: dict[str, Any]) -> None:
    """Train and record the best value and the time; a stopped training keeps its last checkpoint."""
    start = time.perf_counter()
    parameters = sum(p.numel() for p in run.module.model.parameters())
    log.info(
        f"Stage 2: {parameters / 1e6:.1f} M parameters, {len(run.splits.train.images):,} pictures, "
        f"batch {run.datamodule.batch_size}, {run.trainer.max_epochs} epochs"
    )
    ckpt_path = str(run.folder.checkpoint("last")) if run.cfg.resume else None
    run.trainer.fit(run.module, datamodule=run.datamodule, ckpt_path=ckpt_path, weights_only=True)
    result["seconds"]["stage_2"] = round(time.perf_counter() - start, 1)
    result["num_parameters"] = parameters
    result["epochs"] = run.trainer.current_epoch
    early = run.trainer.early_stopping_callback
    result["stopped_early"] = early is not None and early.stopped_epoch > 0
    best = next(c for c in run.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
    score = best.best_model_score
    result["monitor"] = {"name": best.monitor, "best": math.nan if score is None else float(score)}
    log.info(f"Stage 2: done after {result['seconds']['stage_2']:.0f} s, best {best.monitor} {score:.4f}")


def last_step(folder: RunFolder) -> int:
    """Return the number of optimiser steps behind the last checkpoint."""
    return int(torch.load(folder.checkpoint("last"), map_location="cpu", weights_only=True)["global_step"])


def load_weights(model: MaskedTokenModel, checkpoint: Path, tokenizer: FrozenTokenizer) -> None:
    """Load a training checkpoint's network into `model`, refusing one of another tokenizer."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    require_same_tokenizer(content.get("tokenizer_sha256"), tokenizer)
    prefix = "model."
    model.load_state_dict({key.removeprefix(prefix): value for key, value in content["state_dict"].items()})


def score_and_draw(run: Run, result: dict[str, Any], loggers: list[Logger]) -> None:
    """Fill the test pictures with the best weights, write the table and the pictures, and show where they are."""
    from maskgit_lab.evaluation.final import draw_run, score_test_set
    from maskgit_lab.training.loggers import log_final

    start = time.perf_counter()
    load_weights(run.module.model, run.folder.checkpoint("best"), run.tokenizer)
    autocast = autocast_dtype(str(run.trainer.precision))
    filler = Filler(run.module.model, run.tokenizer, run.settings, run.cfg.seed, autocast)
    scores = score_test_set(
        filler,
        run.splits.test,
        run.extractor,
        cache=Path(run.cfg.paths.cache).expanduser(),
        batch_size=run.cfg.data.val_batch_size,
    )
    for logger in loggers:
        logger.save()
    figures = draw_run(filler, scores, run.splits.test, run.folder.root, num_steps=run.cfg.decode.figure_steps)
    log_final(loggers, scores.rows, figures)
    result["scores"] = scores.rows
    result["protocol"] = scores.protocol
    result["seconds"]["scores_and_pictures"] = round(time.perf_counter() - start, 1)
    if scores.rows:
        (run.folder.root / "table.md").write_text(scores.markdown())
        log.info(f"\n{scores.terminal()}\n")
    else:
        log.info("The test pictures have no truth: filled and drawn, not scored")
    log.info("Pictures:\n" + "\n".join(f"  {shown_path(path)}" for path in figures))


def close_loggers(loggers: list[Logger], status: str) -> None:
    """Finish every logger, or the next job of a sweep would log into this one's run."""
    from maskgit_lab.training.loggers import finish_wandb

    for logger in loggers:
        logger.finalize("success" if status == "completed" else "failed")
    for offline in finish_wandb(loggers, completed=status == "completed"):
        log.info(f"Dashboard, offline; to upload it: wandb sync {shown_path(offline)}")


def shown_path(path: Path) -> str:
    """Return a path as people type it: relative to the working directory where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def load_tokenizer(folder: RunFolder) -> FrozenTokenizer:
    """Return the tokenizer that a run was trained with."""
    return FrozenTokenizer.load(folder.tokenizer)


def load_config(root: Path) -> DictConfig:
    """Return the configuration that a run folder records.

    Raises:
        FileNotFoundError: when the folder is not a run's.
    """
    path = RunFolder(root).config
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not a run folder of maskgit_lab: it has no {path.name} (run=RUN_FOLDER)")
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    return config
