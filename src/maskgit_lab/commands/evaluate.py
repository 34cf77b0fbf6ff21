"""Measure a run's grid, or somebody's folder of filled images, under one ruler."""

import csv
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from torchmetrics import Metric
from tqdm import tqdm

from maskgit_lab.assembly.compose import decode_settings, with_tokenizer
from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.load import load_config
from maskgit_lab.data.image_files import list_images, load_images, load_masks, pair_masks
from maskgit_lab.data.image_set import DataSplits, InpaintSet
from maskgit_lab.evaluation.baselines import OTHER_REAL, reference_outputs, score_outputs
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.grid import OUTPUTS, Cell, Grid, GridScores, evaluate_grid
from maskgit_lab.evaluation.output_scores import distance_name
from maskgit_lab.evaluation.perceptual_similarity import build_lpips
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.evaluation.truth import Truth, read_truth
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.machine.peak_memory import peak_memory_line
from maskgit_lab.reporting.figures import save_rows
from maskgit_lab.reporting.grid_tables import CSV_HEADER, csv_rows, markdown_tables, terminal_tables
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.precision import autocast_dtype
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.wandb_run import log_evaluation

log = logging.getLogger("maskgit_lab")

References = dict[str, dict[str, float]]
NUM_SHOWN = 8


def evaluate(cfg: DictConfig) -> None:
    """Measure a run or a folder of outputs and write what was found.

    Raises:
        ValueError: when neither or both are given, or the test pictures have no truth.
    """
    if (cfg.run is None) == (cfg.outputs is None):
        raise ValueError("evaluate needs either run=RUN_FOLDER or outputs=FOLDER truth=FOLDER")
    quiet_lightning()
    if cfg.run is not None:
        _measure_run(cfg)
    else:
        _measure_outputs(cfg)


def _measure_run(cfg: DictConfig) -> None:
    start = time.perf_counter()
    run_config = load_config(Path(cfg.run))
    inpainter = Inpainter.from_run(cfg.run, checkpoint=cfg.checkpoint, device=cfg.device, speed=cfg.speed)
    filler = inpainter.filler
    filler = type(filler)(filler.model, filler.tokenizer, filler.settings, 0, autocast_dtype(cfg.precision))
    grid = _grid(cfg, run_config)
    extractor = with_tokenizer(build(cfg.metrics.extractor), filler.tokenizer).to(filler.tokenizer.device)
    lpips = build_lpips(cfg.lpips) if cfg.lpips else None
    cache = Path(cfg.paths.cache).expanduser()
    splits: DataSplits = build(run_config.data.source).load(cache=cache)
    log.info(f"Data: {splits.description}")
    test = _first(splits.test, cfg.max_images)
    if test.truth is None:
        raise ValueError("the test pictures of this run have no truth: fill them with `inpaint` instead")
    device = str(filler.tokenizer.device)
    truth = read_truth(test.truth, test.holes, extractor, cache=cache, batch_size=cfg.batch_size, device=device)
    references = _references(test, truth, filler.tokenizer, splits.val.images, cfg.batch_size, lpips, device)
    with tqdm(total=grid.decodes() * len(test), desc="Grid", unit="fill") as bar:
        scores = evaluate_grid(
            filler, test, truth, grid, batch_size=cfg.batch_size, lpips=lpips, num_shown=NUM_SHOWN,
            progress=_advance(bar, len(test), cfg.batch_size, grid.decodes()),
        )  # fmt: skip
    protocol = {
        **_protocol(truth, others=len(splits.val)),
        "split": splits.description,
        "checkpoint": cfg.checkpoint,
        "num_steps": grid.num_steps,
        "choice_temperature": grid.choice_temperature,
        "mask_dilation": grid.mask_dilation,
        "seeds": list(grid.seeds),
        "precision": cfg.precision,
        "seconds": round(time.perf_counter() - start, 1),
    }
    single = {"token_cross_entropy": scores.token_cross_entropy, "token_accuracy": scores.token_accuracy}
    out = Path(cfg.out) if cfg.out else RunFolder(Path(cfg.run)).root / "evaluation"
    figure = _draw(out, test, scores)
    _write(out, scores.cells, references, protocol, score=distance_name(extractor.name), single=single)
    log.info(f"Pictures: {shown_path(figure)}")
    log.info(peak_memory_line())
    _show_on_dashboard(run_config, Path(cfg.run), csv_rows(scores.cells, references), figure)


def _show_on_dashboard(run_config: DictConfig, folder: Path, rows: Sequence[Sequence[Any]], figure: Path) -> None:
    wandb = run_config.logger.get("wandb")
    if wandb is None:
        return
    if log_evaluation(
        folder, project=wandb.project, name=wandb.name, offline=wandb.offline, columns=CSV_HEADER, rows=rows, pictures=[figure]
    ):  # fmt: skip
        log.info("The table is in the run's dashboard, as evaluation/table")


def _measure_outputs(cfg: DictConfig) -> None:
    if cfg.truth is None:
        raise ValueError("outputs=FOLDER needs truth=FOLDER, the real pictures of the same names")
    paths = list_images(Path(cfg.outputs), key="outputs")
    truth_paths = pair_masks(paths, list_images(Path(cfg.truth), key="truth"))
    resolution = _side(truth_paths[0])
    pictures = load_images(paths, resolution=resolution, exact=True)
    true = load_images(truth_paths, resolution=resolution, exact=True)
    holes = None
    if cfg.masks is not None:
        mask_paths = pair_masks(paths, list_images(Path(cfg.masks), key="masks"))
        holes = load_masks(mask_paths, resolution=resolution, hole=cfg.mask_hole, exact=True)
    extractor = build(cfg.metrics.extractor)
    if not isinstance(extractor, Extractor):
        raise ValueError("metrics=tokenizer belongs to a run; for outputs=FOLDER choose metrics=inception or another")
    lpips = build_lpips(cfg.lpips) if cfg.lpips else None
    cache = Path(cfg.paths.cache).expanduser()
    truth = read_truth(true, holes, extractor, cache=cache, batch_size=cfg.batch_size, device="cpu")
    scores = score_outputs(pictures, truth, batch_size=cfg.batch_size, lpips=lpips)
    references: References = {}
    if holes is not None:
        test = InpaintSet(true, holes, tuple(p.name for p in truth_paths), true, "outputs")
        references = _references(test, truth, None, None, cfg.batch_size, lpips, "cpu")
    cell = Cell(Path(cfg.outputs).name, 0, "outputs", {name: [value] for name, value in scores.items()})
    out = Path(cfg.out) if cfg.out else Path("evaluation")
    _write(out, [cell], references, _protocol(truth, others=0), score=distance_name(extractor.name))


def _grid(cfg: DictConfig, run_config: DictConfig) -> Grid:
    settings = decode_settings(run_config)
    own = {
        key: getattr(settings, key) if cfg[key] is None else cfg[key]
        for key in ("num_steps", "choice_temperature", "mask_dilation")
    }
    schedules = {name: build(_schedule_config(name)) for name in cfg.schedules}
    return Grid(schedules=schedules, sweet_spots=list(cfg.sweet_spots), seeds=list(cfg.seeds), **own)


def _schedule_config(name: str) -> Any:
    path = Path(config_dir()) / "mask_schedule" / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ValueError(f"schedules: no mask schedule {name}; there are {there}")
    return OmegaConf.load(path)


def _first(test: InpaintSet, count: int | None) -> InpaintSet:
    if count is None or count >= len(test):
        return test
    truth = None if test.truth is None else test.truth[:count]
    return InpaintSet(test.images[:count], test.holes[:count], test.names[:count], truth, f"{test.fingerprint}-{count}")


def _references(
    test: InpaintSet, truth: Truth, tokenizer: Any, val: np.ndarray | None, batch_size: int, lpips: Metric | None, device: str
) -> References:  # fmt: skip
    outputs = reference_outputs(test, tokenizer=tokenizer, others=val, batch_size=batch_size)
    return {
        name: score_outputs(
            pictures, truth, batch_size=batch_size, paired=name != OTHER_REAL, lpips=lpips, device=device
        )
        for name, pictures in tqdm(outputs.items(), desc="Floors and ceilings", unit="set")
    }


def _protocol(truth: Truth, *, others: int) -> dict[str, Any]:
    protocol = {**truth.extractor.protocol, "num_true": len(truth), "num_outputs": len(truth)}
    if others:
        protocol["num_other_real"] = min(others, len(truth))
    if len(truth) < truth.extractor.num_features:
        protocol["note"] = (
            f"{len(truth)} pictures are fewer than {truth.extractor.num_features} features: the covariances are singular and "
            "the distance depends on the number; compare it only with the same number of pictures"
        )
    return {**protocol, "provenance": provenance()}


def _advance(bar: tqdm, num_images: int, batch_size: int, decodes: int) -> Iterator[None]:
    """Advance a bar by the pictures of every finished trajectory."""
    for start in range(0, num_images, batch_size):
        for _ in range(decodes):
            bar.update(min(batch_size, num_images - start))
            yield


def _draw(out: Path, test: InpaintSet, scores: GridScores) -> Path:
    assert test.truth is not None
    shown = slice(0, NUM_SHOWN)
    columns = {"truth": np.asarray(test.truth[shown]), "input": test.images[shown]}
    columns |= {f"{name} {spot}": pictures for (name, spot), pictures in scores.pictures.items()}
    return save_rows(out / "figures" / "grid.png", columns)


def _write(
    out: Path, cells: list[Cell], references: Mapping[str, Mapping[str, float]], protocol: dict[str, Any], *, score: str,
    single: Mapping[str, float] | None = None,
) -> None:  # fmt: skip
    """Write evaluation.json, table.md and table.csv, and print the table; `single`: of all hidden tokens predicted at once."""
    out.mkdir(parents=True, exist_ok=True)
    outputs = [name for name in (*OUTPUTS, "outputs") if any(cell.output == name for cell in cells)]
    content = {
        "protocol": protocol,
        "cells": [
            {
                "schedule": cell.schedule, "sweet_spot": cell.sweet_spot, "output": cell.output,
                "scores": {name: Spread.of(values).as_dict() for name, values in cell.scores.items()},
            }
            for cell in cells
        ],
        "references": references,
    }  # fmt: skip
    notes = []
    if single is not None:
        content["single_prediction"] = single
        notes.append("All hidden tokens at once: " + ", ".join(f"{name} {value:.4g}" for name, value in single.items()))
    (out / "evaluation.json").write_text(json.dumps(content, indent=2) + "\n")
    lines = [*notes, *(f"{key}: {value}" for key, value in protocol.items() if key != "provenance")]
    tables = markdown_tables(cells, references, score=score, outputs=outputs)
    (out / "table.md").write_text(tables + "\n" + "\n".join(f"- {line}" for line in lines) + "\n")
    with (out / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([CSV_HEADER, *csv_rows(cells, references)])
    log.info("\n" + terminal_tables(cells, references, score=score, outputs=outputs))
    if "note" in protocol:
        notes.append(f"Note: {protocol['note']}")
    for note in notes:
        log.info(note)
    log.info(f"\nWritten: {', '.join(shown_path(out / name) for name in ('evaluation.json', 'table.md', 'table.csv'))}")


def _side(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as image:
        return image.height
