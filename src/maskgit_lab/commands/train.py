"""Train, fill the test images with the best weights, score and draw them, report."""

import dataclasses
import logging
import math
import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from maskgit_lab.assembly.compose import Run, compose, open_loggers
from maskgit_lab.assembly.decoder_stage import find_or_train_decoder
from maskgit_lab.assembly.keys import training_key
from maskgit_lab.assembly.load import check_resumed, load_decoder, load_weights
from maskgit_lab.assembly.networks import FIGURE_STEPS, build_model
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.speed import at_speed, decoder_at_speed
from maskgit_lab.assembly.stage1 import stage1_precision
from maskgit_lab.commands.run_record import SCORED_EPOCHS, RunRecord
from maskgit_lab.commands.shell import SweepRefusedError, run_dir
from maskgit_lab.commands.sweep import sweep_folder
from maskgit_lab.data.only_one import only_one
from maskgit_lab.data.train_masks import usual_shares
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.test_set import score_test_set
from maskgit_lab.machine.denormals import flush_denormals
from maskgit_lab.machine.held_log import begin_logs
from maskgit_lab.machine.peak_memory import peak_memory, peak_memory_line
from maskgit_lab.machine.ranks import process_rank, quiet
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.machine.whole_file import CannotWriteError, why_not_written
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.reporting.diagnosis import diagnose, sentences
from maskgit_lab.reporting.run_figures import draw_run
from maskgit_lab.reporting.score_table import markdown_scores, terminal_scores
from maskgit_lab.runs.folder import HOLE_SHARE, RunFolder, shown_path, whole_figures
from maskgit_lab.runs.metrics_file import read_epochs
from maskgit_lab.runs.trained_store import TrainedStore, adopt, curves_of
from maskgit_lab.training.callbacks.interruption import leave_process_group
from maskgit_lab.training.devices import asks_for_one_device
from maskgit_lab.training.loggers import finish_wandb, log_final
from maskgit_lab.training.precision import autocast_dtype

log = logging.getLogger("maskgit_lab")


def train(config: TrainConfig) -> float:
    """Run one job and return the best value of the monitored metric, for Hydra's sweepers."""
    require_one_device_in_sweeps(config)
    flush_denormals()
    return run_experiment(config, run_dir(), sweep=sweep_folder())


def require_one_device_in_sweeps(config: TrainConfig) -> None:
    """Raise SweepRefusedError, which ends a sweep before its first job, when a job asks for more than one device.

    The processes that Lightning would start for the other devices would each begin a sweep of their own.
    """
    devices, num_nodes = config.trainer.get("devices", 1), config.trainer.get("num_nodes", 1)
    if HydraConfig.get().mode == RunMode.MULTIRUN and not asks_for_one_device(devices, num_nodes):
        raise SweepRefusedError(
            f"trainer.devices={devices}: each job of a sweep (-m) runs on one device. Use trainer.devices=1 and run jobs "
            "side by side (hydra/launcher=joblib or submitit_slurm), or start the runs one by one without -m"
        )


def run_experiment(config: TrainConfig, root: Path, *, sweep: Path | None = None) -> float:
    """Train, score and draw one configuration in the run folder `root`, as a job of the sweep in the folder `sweep`.

    Return the best value of the monitored metric; NaN on other processes and after a dry run. `result.json` is written whatever
    happens; its status is completed, interrupted or failed. Of several processes the first does all this; the others train with it
    and leave.
    """
    folder = RunFolder(root)
    if process_rank() > 0:
        return help_to_train(config, folder)
    check_resumed(config, folder)
    record = RunRecord(config, folder)
    result = record.result
    loggers: list[Logger] = []
    try:
        start = time.perf_counter()
        run = compose(config, folder, loggers, sweep=sweep)
        result["seconds"] = {"data_and_stage_1": round(time.perf_counter() - start, 1)}
        result |= {"data": run.splits.description, "images": run.images, "tokenizer_sha256": run.tokenizer.sha256}
        if run.splits.train_holes is not None:
            result[HOLE_SHARE] = list(usual_shares(run.splits.train_holes))
        if config.resume is not None:
            open_loggers(run, loggers, sweep=sweep)
        record.begin()
        train_or_adopt(run, result, loggers, trained_store(config, sweep))
        if is_dry(run):
            log.info("trainer.fast_dev_run: a batch of each went through; nothing is kept, scored or drawn")
            record.end("completed")
            return math.nan
        filler = best_filler(run)
        filler = dataclasses.replace(filler, decoder=run_decoder(run, filler, result))
        score_and_draw(run, filler, result, loggers, sweep=sweep is not None)
        record.end("completed")
        return float(result["monitor"]["best"])
    except (KeyboardInterrupt, SystemExit):
        record.end("interrupted")
        log.info(how_to_go_on(folder))
        raise
    except BaseException as error:
        told = why_not_written(error) if isinstance(error, OSError) else None
        try:
            record.end("failed", error)
        except OSError as second:  # the disk may be full
            log.error(str(second))  # next to what ended the run
        if told:
            raise CannotWriteError(f"{told}. {how_to_go_on_then(folder)}") from error
        raise
    finally:
        close_loggers(loggers, result["status"])


def help_to_train(config: TrainConfig, folder: RunFolder) -> float:
    """Train next to the first process, without messages and files; a failure is recorded for it."""
    quiet()
    try:
        run = compose(config, folder, [])
        if run.trainer.world_size == 1:
            raise ValueError(
                "several processes were started (torchrun, srun), but trainer.devices=1: trainer=multi_gpu or trainer=cpu_ddp "
                "with as many devices as processes per node, or start one process"
            )
        if config.resume is not None:
            begin_logs()
            open_loggers(run, [], sweep=None)
        fit(run, {"seconds": {}})
    except SIGTERMException:
        return math.nan  # stopped together with the first process, which says so
    except BaseException as error:
        log.error(f"Process {process_rank()} failed: {error}")
        folder.record_failure(error)
        raise
    return math.nan


def how_to_go_on(folder: RunFolder) -> str:
    """Return what to type after an interruption."""
    if not (folder.checkpoints / "last.ckpt").is_file():
        return "\nStopped before stage 2; the same command goes on from here"
    return f"\nStopped. To go on: python -m maskgit_lab.train resume={shown_path(folder.root)}"


def how_to_go_on_then(folder: RunFolder) -> str:
    """Return what to type when a disk can be written again."""
    for name, option in (("last", ""), ("best", " checkpoint=best")):
        path = folder.checkpoints / f"{name}.ckpt"
        if path.is_file():
            command = f"python -m maskgit_lab.train resume={shown_path(folder.root)}{option}"
            return f"The last whole checkpoint is {shown_path(path)}: then {command} goes on from it"
    return "Then start the same command again"


def trained_store(config: TrainConfig, sweep: Path | None) -> TrainedStore | None:
    """Open the store of shared training runs: within the sweep's folder, in the cache, or None = share nothing.

    Raise ValueError when `reuse` is none of its options.
    """
    places = {"sweep": sweep / "trained" if sweep else None, "cache": config.paths.cache_folder / "trained", "never": None}
    if config.reuse not in places:
        raise ValueError(f"reuse must be one of {', '.join(places)}, got {config.reuse!r}")
    place = places[config.reuse]
    return TrainedStore(place) if place else None


def is_dry(run: Run) -> bool:
    """Return whether the run only tries its parts (trainer.fast_dev_run)."""
    return bool(run.trainer.fast_dev_run)  # type: ignore[attr-defined]


def train_or_adopt(run: Run, result: dict[str, Any], loggers: list[Logger], store: TrainedStore | None) -> None:
    """Train, unless a run that differs only in decoding was trained already; of several at once, one trains."""
    # other processes would wait for the first to train, and a dry run leaves nothing to share
    if store is None or run.config.resume or run.trainer.world_size > 1 or is_dry(run):
        fit(run, result)
        return
    key = training_key(run.config, run.splits, run.tokenizer)
    with only_one(store.path(key)):
        trained = store.find(key)
        if trained is None:
            fit(run, result)
            store.keep(key, run.folder, result)
            return
    adopt(trained, run.folder, result)
    for step, values in curves_of(trained):
        for logger in loggers:
            logger.log_metrics(values, step=step)


def fit(run: Run, result: dict[str, Any]) -> None:
    """Train and record the best value and the time; a stopped run keeps its last checkpoint."""
    start = time.perf_counter()
    parameters = sum(p.numel() for p in run.module.model.parameters())
    log.info(
        f"Stage 2: {parameters / 1e6:.1f} M parameters, {len(run.splits.train.images):,} images, "
        f"batch {run.datamodule.serving.batch_size}, {run.trainer.max_epochs} epochs"
    )
    ckpt_path = str(run.folder.checkpoint(run.config.checkpoint)) if run.last else None
    run.trainer.fit(run.module, datamodule=run.datamodule, ckpt_path=ckpt_path, weights_only=True)
    leave_process_group()
    profile = run.trainer.profiler.summary()  # type: ignore[attr-defined]
    if profile:  # with trainer.profiler; Lightning says it in a log that is quiet here
        log.info(profile)
    result["seconds"]["stage_2"] = round(time.perf_counter() - start, 1)
    early = run.trainer.early_stopping_callback
    stopped_early = early is not None and early.stopped_epoch > 0
    result |= {"num_parameters": parameters, "epochs": run.trainer.current_epoch, "stopped_early": stopped_early}
    best = next(c for c in run.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
    score = math.nan if best.best_model_score is None else float(best.best_model_score)
    result["monitor"] = {"name": best.monitor, "best": score}
    log.info(f"Stage 2: done after {result['seconds']['stage_2']:.0f} s, best {best.monitor} {score:.4f}")


def best_filler(run: Run) -> Filler:
    """Return what fills with the run's best weights."""
    # built again: a strategy may have cut the trained one up
    network = build_model(run.config.model, run.tokenizer).to(run.tokenizer.device)
    load_weights(network, run.folder.checkpoint("best"), run.tokenizer)
    model = at_speed(run.config.speed, network, run.tokenizer, run.settings)
    return Filler(model, run.tokenizer, run.settings, run.config.seed, autocast_dtype(str(run.trainer.precision)))


def run_decoder(run: Run, filler: Filler, result: dict[str, Any]) -> FrozenDecoder | None:
    """Return the run's conditional decoder: found or trained now and kept in its folder, or one that `train_decoder` gave it."""
    config = run.config
    if config.decoder is None:
        decoder = load_decoder(run.folder, run.tokenizer)
    else:
        start = time.perf_counter()
        decoder = find_or_train_decoder(
            config.decoder, config, run.splits, filler, seed=config.seed, cache=config.paths.cache_folder, folder=run.folder.root,
            accelerator=config.trainer["accelerator"], precision=stage1_precision(config),
        )  # fmt: skip
        decoder.save(run.folder.decoder)
        result["seconds"]["decoder"] = round(time.perf_counter() - start, 1)
    if decoder is not None:
        decoder_at_speed(config.speed, decoder)
        result["decoder_sha256"] = decoder.sha256
    return decoder


def score_and_draw(run: Run, filler: Filler, result: dict[str, Any], loggers: list[Logger], *, sweep: bool = False) -> None:
    """Fill the test images with the best weights, write the table and the figures, and show where they are."""
    start = time.perf_counter()
    test, batch_size = run.splits.test, run.datamodule.serving.val_batch_size
    scores = score_test_set(filler, test, run.extractor, cache=run.config.paths.cache_folder, batch_size=batch_size)
    for logger in loggers:
        logger.save()
    epochs = read_epochs(run.folder.metrics)
    result["diagnosis"] = diagnose(epochs)
    with whole_figures(run.folder) as drawn:
        paths = draw_run(filler, scores, test, drawn, metrics=run.folder.metrics, num_steps=int(run.config.decode[FIGURE_STEPS]))
    figures = [run.folder.figures / path.relative_to(drawn) for path in paths]
    log_final(loggers, scores.rows, figures)
    result |= {"scores": scores.rows, "protocol": scores.protocol}
    result.pop(SCORED_EPOCHS, None)
    result["seconds"]["scores_and_pictures"] = round(time.perf_counter() - start, 1)
    log.info("\n" + "\n".join(sentences(result["diagnosis"], len(epochs))))
    if scores.rows:
        write_text(run.folder.root / "table.md", markdown_scores(scores))
        log.info(f"\n{terminal_scores(scores)}\n")
    else:
        log.info("The test images have no truth: filled and drawn, not scored")
    result["peak_memory_gib"] = {where: round(size, 2) for where, size in peak_memory().items()}
    log.info(peak_memory_line())
    if sweep:
        log.info(f"Figures: {len(figures)} in {shown_path(run.folder.figures)}")
    else:
        log.info("Figures:\n" + "\n".join(f"  {shown_path(path)}" for path in figures))


def close_loggers(loggers: list[Logger], status: str) -> None:
    """Finish every logger, or the next job of a sweep would log into this one's run."""
    for logger in loggers:
        logger.finalize("success" if status == "completed" else "failed")
    for offline in finish_wandb(loggers, completed=status == "completed"):
        log.info(f"Dashboard, offline; to upload it: wandb sync {shown_path(offline)}")
