"""From a configuration to the objects of a run: all that training needs, built once, in the order that reports mistakes early."""

import functools
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.constructors import check_constructors
from maskgit_lab.assembly.going_on import (
    LastState,
    check_length,
    last_state,
    name_differences,
    own_tokenizer,
    require_recorded_images,
)
from maskgit_lab.assembly.hole_shapes import shapes_of_holes
from maskgit_lab.assembly.load import load_training_data
from maskgit_lab.assembly.networks import build_model, decode_settings
from maskgit_lab.assembly.numbers import check_numbers
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.sizes import check_sizes
from maskgit_lab.assembly.speed import at_speed, check_speed, compiled
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.assembly.trainer_flags import check_flags, show_summary
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.data.content import content_of
from maskgit_lab.data.datamodule import InpaintingDataModule, Serving
from maskgit_lab.data.hole_shapes import better_style
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.machine.ranks import process_rank, wait_for
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.callbacks.duration import Duration
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.callbacks.last_validation import LastValidation
from maskgit_lab.training.callbacks.moved_state import MovedState
from maskgit_lab.training.checkpoint_files import WholeCheckpoints
from maskgit_lab.training.compilation import compile_options, records_steps
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

    config: TrainConfig
    folder: RunFolder
    splits: DataSplits
    tokenizer: FrozenTokenizer
    module: MaskedTokenModule
    datamodule: InpaintingDataModule
    trainer: L.Trainer
    extractor: Extractor
    settings: DecodeSettings
    images: dict[str, dict[str, Any]]  # see data.content
    last: LastState | None  # what it goes on from, None where it begins


def compose(config: TrainConfig, folder: RunFolder, loggers: list[Logger], *, sweep: Path | None = None) -> Run:
    """Build every object of a run; stage 1 is trained here when no cached tokenizer fits.

    A run that goes on (`resume`) keeps its tokenizer, and nothing is written into its folder: its loggers are for `open_loggers`,
    when everything was found right.
    """
    quiet_lightning()
    check_configuration(config)
    last = last_state(config, folder)
    check_length(config, last)
    L.seed_everything(config.seed, verbose=False)
    splits = load_training_data(config.data, config.paths)
    check_sizes(config, splits)
    look_at_holes(config, splits)
    images = content_of(splits)
    settings = decode_settings(config)
    extractor = build(config.metrics.extractor)  # missing weights are reported now, not after stage 1
    if config.resume is None:
        loggers += build_loggers(config, folder, sweep)
    else:
        check_recorded(config, folder, splits, images)
    tokenizer = run_tokenizer(config, splits, folder, last)
    training = config.training
    in_holes = training.mask_region == "hole"
    datamodule = InpaintingDataModule(
        splits=splits, tokenizer=tokenizer, cache=config.paths.cache_folder, serving=Serving.of(config.data), seed=config.seed,
        with_images=in_holes,  # images come with the tokens only where something reads them
    )  # fmt: skip
    datamodule.train_dataloader(), datamodule.val_dataloader()  # batch sizes are refused now, too
    torch.manual_seed(config.seed)  # the same start whether stage 1 was trained just now or found
    network = build_model(config.model, tokenizer, weights=folder.checkpoint(config.checkpoint) if last else None)
    model = at_speed(config.speed, network, tokenizer, settings)
    model = compiled(model, training.compile, recorded=is_recorded(config))
    module = MaskedTokenModule(
        model=model, tokenizer=tokenizer, mask_schedule=build(training.mask_schedule), optimizer=build(config.optimizer),
        holes=datamodule.train_holes() if in_holes else None, turn_holes=datamodule.turn_holes,
        encode_masked=training.encode_masked,
        mask_dilation=training.mask_dilation, mask_share=(training.mask_share[0], training.mask_share[1]),
        label_smoothing=training.label_smoothing, seed=config.seed,
    )  # fmt: skip
    extractor = with_tokenizer(extractor, tokenizer)
    callbacks = build_callbacks(config, folder, datamodule, settings, extractor)
    trainer = build_trainer(config, folder, loggers, callbacks)
    tokenizer.to(trainer.strategy.root_device)  # before the data module encodes with it; scores use the network where it is
    return Run(config, folder, splits, tokenizer, module, datamodule, trainer, extractor, settings, images, last)


def look_at_holes(config: TrainConfig, splits: DataSplits) -> None:
    """Say where training on holes draws other holes than the test has, and another style is nearer."""
    if config.training.mask_region != "hole" or config.resume is not None or process_rank() > 0:
        return
    told = better_style(shapes_of_holes(config.data, splits))
    if told:
        log.warning(told)


def run_tokenizer(config: TrainConfig, splits: DataSplits, folder: RunFolder, last: LastState | None) -> FrozenTokenizer:
    """Return the run's tokenizer: its own when it goes on, else one that is found or trained now, and kept in its folder."""
    if config.resume is not None:
        own = own_tokenizer(folder, last)
        if own is not None:
            return own
    if process_rank() > 0:
        return FrozenTokenizer.load(wait_for(folder.tokenizer))
    tokenizer = find_or_train_tokenizer(config, splits, folder=folder.root)
    tokenizer.save(folder.tokenizer)
    return tokenizer


def check_recorded(config: TrainConfig, folder: RunFolder, splits: DataSplits, images: dict[str, dict[str, Any]]) -> None:
    """Compare data, code and versions with what the run recorded; ValueError when the images are others, unless `force`."""
    if process_rank() > 0:
        return  # the first process says it for all, and may have written its own record by now
    recorded = folder.read_result() if folder.result.is_file() else {}
    require_recorded_images(recorded, images, splits.description, force=config.force)
    name_differences(recorded)


def open_loggers(run: Run, loggers: list[Logger], *, sweep: Path | None) -> None:
    """Build the loggers of a run that goes on, whose folder nothing has touched so far."""
    loggers += build_loggers(run.config, run.folder, sweep, resumed_step=run.last.steps if run.last else 0)
    run.trainer.loggers = loggers


def check_configuration(config: TrainConfig) -> None:
    """Build what needs neither data nor a tokenizer, so that a mistake is a ValueError naming its key before stage 1 is trained."""
    check_constructors(config)
    check_numbers(config)
    if config.training.mask_region not in ("hole", "grid"):
        raise ValueError(f"training.mask_region must be hole or grid, got {config.training.mask_region!r}")
    check_speed(config.speed, decode_settings(config))
    check_decoder(config)
    build(config.optimizer)
    check_accelerator(config.trainer["accelerator"])
    check_flags(config)
    build(config.training.mask_schedule)
    compile_options(config.training.compile)
    is_recorded(config)
    serving = Serving.of(config.data)
    draw_holes(style=serving.hole_style, seed=0, indices=[0], resolution=CHECK_RESOLUTION, share=serving.hole_share)
    with shapes_only():
        transformer = build(config.model.transformer, num_image_tokens=1, num_codebook_vectors=1)
        if config.model.context is not None:
            build(config.model.context, dim=transformer.dim, grid=1, resolution=1)


def check_decoder(config: TrainConfig) -> None:
    """Raise ValueError when a decoder cannot be trained after stage 2: its trainer would join the processes of stage 2."""
    flags = config.trainer
    if config.decoder is not None and not asks_for_one_device(flags.get("devices", 1), flags.get("num_nodes", 1)):
        raise ValueError(
            "decoder=conditional trains on one device: leave it out here, and when the run is there, "
            "python -m maskgit_lab.train_decoder run=RUN"
        )


def is_recorded(config: TrainConfig) -> bool:
    """Return whether training steps are recorded as CUDA graphs; for ValueErrors see `records_steps`."""
    trainer = config.trainer
    return records_steps(
        config.training.compile,
        speed=config.speed,
        one_device=asks_for_one_device(trainer.get("devices", 1), trainer.get("num_nodes", 1)),
        accumulated_batches=trainer.get("accumulate_grad_batches") or 1,
        on_cuda=torch.cuda.is_available() and trainer["accelerator"] != "cpu",
    )


def with_tokenizer(extractor: Any, tokenizer: FrozenTokenizer) -> Extractor:
    """Return a feature extractor; one that reads the run's tokenizer is configured as a partial."""
    return extractor(tokenizer=tokenizer) if isinstance(extractor, functools.partial) else extractor


def build_loggers(config: TrainConfig, folder: RunFolder, sweep: Path | None, *, resumed_step: int = 0) -> list[Logger]:
    """Build CSV and the other configured loggers, and give them the configuration; those that may fail come first.

    Only the first process has dashboards; a sweep is a group in wandb. `resumed_step`: the optimiser steps behind the run.
    """
    kinds = [name for name in ("tensorboard", "wandb") if config.logger.get(name) is not None and process_rank() == 0]
    extra: dict[str, dict[str, Any]] = {"wandb": {"provenance": provenance()}}
    if sweep and "wandb" in kinds and config.logger["wandb"]["group"] is None:
        extra["wandb"]["group"] = f"{sweep.parent.name}-{sweep.name}"
    dashboards: list[Logger] = [build(config.logger[name], folder=folder.root, **extra.get(name, {})) for name in kinds]
    loggers = [csv_logger(folder.metrics, resumed_step=resumed_step), *dashboards]
    for logger in loggers:
        logger.log_hyperparams(asdict(config))
    return loggers


def build_callbacks(
    config: TrainConfig, folder: RunFolder, datamodule: InpaintingDataModule, settings: DecodeSettings, extractor: Extractor
) -> list[Callback]:
    """Build the configured callbacks, scores and images before averaged weights, which swap the weights back."""
    nodes = {name: node for name, node in config.callbacks.items() if node is not None}
    filling = {"images": datamodule.val_fills(), "settings": settings, "seed": config.seed}
    objects: dict[str, dict[str, Any]] = {
        "best": {"dirpath": folder.checkpoints},
        "last": {"dirpath": folder.checkpoints},
        "scores": {"extractor": extractor, **filling},
        "samples": {"folder": folder.figures / "samples", **filling},
    }
    names = sorted(nodes, key=lambda name: name == "ema")  # stable: ema goes last
    return [
        *([StageBar(stage="Stage 2")] if config.trainer.get("enable_progress_bar", True) else []),
        Duration(stage="Stage 2"),
        LastValidation(),
        StopBetweenBatches(record=folder.record_failure),
        MovedState(),
        *(build(nodes[name], **objects.get(name, {})) for name in names),
    ]


def build_trainer(config: TrainConfig, folder: RunFolder, loggers: list[Logger], callbacks: list[Callback]) -> L.Trainer:
    """Build Lightning's trainer in the precision that suits the machine."""
    options = config.trainer
    one = asks_for_one_device(options.get("devices", 1), options.get("num_nodes", 1))
    memory = config.paths.precision
    precision, reason = resolve_precision(options["precision"], options["accelerator"], single=one, memory=memory)
    log.info(f"Stage 2: {reason}")
    show_summary(options)
    plugins = [build(node) if isinstance(node, dict) else node for node in options.get("plugins") or []]
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins.append(WholeCheckpoints())
    return build(
        {key: value for key, value in options.items() if key != "plugins"}, precision=precision, plugins=plugins, logger=loggers,
        callbacks=callbacks, default_root_dir=str(folder.root),
    )  # fmt: skip
