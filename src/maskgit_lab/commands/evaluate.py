"""Measure a run's grid, or any folder of filled images, in the same way."""

import csv
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from tqdm import tqdm

from maskgit_lab.assembly.compose import with_tokenizer
from maskgit_lab.assembly.config import build, option_file
from maskgit_lab.assembly.networks import schedule_for
from maskgit_lab.assembly.schemas import EvaluateConfig
from maskgit_lab.commands.outputs import FEWEST, read_outputs
from maskgit_lab.commands.results import check_results
from maskgit_lab.commands.shell import config_folder
from maskgit_lab.commands.subject import subject
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.image_opening import ReadOptions
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.baselines import OTHER_REAL, measured, reference_outputs
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.grid import OUTPUTS, Cell, Grid, evaluate_grid
from maskgit_lab.evaluation.hole_bins import HoleBins
from maskgit_lab.evaluation.output_scores import distance_name
from maskgit_lab.evaluation.perceptual_similarity import FILES, build_lpips
from maskgit_lab.evaluation.rulers import Rulers
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.evaluation.telea import require_opencv
from maskgit_lab.evaluation.truth import Truth, read_truth
from maskgit_lab.machine.json_file import write_json
from maskgit_lab.machine.peak_memory import peak_memory_line
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.reporting.figures import save_rows
from maskgit_lab.reporting.grid_tables import (
    CSV_HEADER,
    References,
    best_cell,
    csv_rows,
    grid_verdict,
    markdown_tables,
    terminal_tables,
)
from maskgit_lab.reporting.lab_figures import draw_lab, lab_figure_names
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.runs.folder import shown_path
from maskgit_lab.runs.provenance import provenance
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.wandb_run import log_evaluation

log = logging.getLogger("maskgit_lab")

NUM_SHOWN = 8
WRITTEN = ("evaluation.json", "table.md", "table.csv")
GRID_FIGURE = "figures/grid.png"
CHOSEN_BY_CELLS = ("schedule", "sweet_spot")


def evaluate(config: EvaluateConfig) -> None:
    """Measure a run, the lab's two files, or a folder of outputs, and write what was found.

    Raise ValueError when the test images have no truth.
    """
    quiet_lightning()
    if config.outputs is not None:
        _measure_outputs(config, Path(config.outputs))
    else:
        _measure_networks(config)


def _measure_networks(config: EvaluateConfig) -> None:
    """Measure the grid of a run or of the lab's two files."""
    start = time.perf_counter()
    if config.max_images is not None and config.max_images < FEWEST:
        raise ValueError(f"max_images must be at least {FEWEST}, which a distance between sets needs, got {config.max_images}")
    out = Path(config.out or (Path(config.run) / "evaluation" if config.run else "evaluation")).expanduser()
    if config.out is not None or config.run is None:  # a run's own table is replaced by the newer one
        figures = [f"figures/{name}" for name in lab_figure_names(config.schedules).values()]
        check_results([out / name for name in (*WRITTEN, GRID_FIGURE, *figures)], overwrite=config.overwrite)
    what = subject(config)
    filler, splits = what.filler, what.splits
    grid = _grid(config, filler)
    extractor = with_tokenizer(build(config.metrics.extractor), filler.tokenizer).to(filler.tokenizer.device)
    rulers = _rulers(config)
    test = _first(splits.test, config.max_images)
    if len(test) < FEWEST:
        raise ValueError(f"data: there is {len(test)} test image; a distance between sets needs at least {FEWEST}")
    if test.truth is None:
        raise ValueError("the test images have no truth: fill them with `inpaint` instead")
    cache, device = config.paths.cache_folder, str(filler.tokenizer.device)
    truth = read_truth(test.truth, test.holes, extractor, cache=cache, batch_size=config.batch_size, device=device)
    others = splits.val.images if len(splits.val) >= FEWEST else None
    references = _references(config, test, truth, rulers, filler=filler, others=others, device=device)
    with tqdm(total=len(grid.schedules) * len(grid.seeds) * len(test), desc="Grid", unit="fill") as bar:
        scores = evaluate_grid(
            filler, test, truth, grid, batch_size=config.batch_size, rulers=rulers, num_shown=NUM_SHOWN, progress=bar.update
        )
    protocol = {
        **_protocol(truth, rulers, others=0 if others is None else len(others)),
        "split": splits.description,
        **what.told,
        "decoder": "plain" if filler.decoder is None else filler.decoder.sha256,
        **{name: value for name, value in grid.settings.as_dict().items() if name not in CHOSEN_BY_CELLS},
        "seeds": list(grid.seeds),
        "precision": config.precision,
        "seconds": round(time.perf_counter() - start, 1),
    }
    single = {"token_cross_entropy": scores.token_cross_entropy, "token_accuracy": scores.token_accuracy}
    columns = {"truth": np.asarray(test.truth[:NUM_SHOWN]), "input": test.images[:NUM_SHOWN]}
    columns |= {f"{name} {spot}": images for (name, spot), images in scores.images.items()}
    score = distance_name(extractor.name)
    best = best_cell(scores.cells, score=score, output=OUTPUTS[-1])
    figure = save_rows(out / GRID_FIGURE, columns, holes=test.holes[:NUM_SHOWN])
    fills = scores.images[best.schedule, best.sweet_spot]
    lab = draw_lab(filler, test, grid.schedules, out / "figures", fills=fills, of=f"{best.schedule} {best.sweet_spot}")
    _write(out, scores.cells, references, protocol, score=score, single=single, codes=filler.tokenizer.num_codebook_vectors)
    log.info("Figures:\n" + "\n".join(f"  {shown_path(path)}" for path in (figure, *lab)))
    log.info(peak_memory_line())
    wandb, folder = what.wandb, what.folder
    if wandb is not None and folder is not None and log_evaluation(
        folder, columns=CSV_HEADER, rows=csv_rows(scores.cells, references.whole), images=[figure],
        project=wandb["project"], name=wandb["name"], offline=wandb["offline"],
    ):  # fmt: skip
        log.info("The table is in the run's dashboard, as evaluation/table")


def _measure_outputs(config: EvaluateConfig, folder: Path) -> None:
    if config.truth is None:
        raise ValueError("outputs=FOLDER needs truth=FOLDER, the real images of the same names")
    out = Path(config.out or "evaluation").expanduser()
    check_results([out / name for name in WRITTEN], overwrite=config.overwrite)
    images, true, holes, names = read_outputs(
        folder, truth=Path(config.truth), masks=Path(config.masks) if config.masks else None, mask_hole=config.mask_hole,
        max_share=config.max_hole_share, options=ReadOptions(max_pixels=config.max_pixels, keys=""),
    )  # fmt: skip
    extractor = build(config.metrics.extractor)
    if not isinstance(extractor, Extractor):
        raise ValueError("metrics=tokenizer belongs to a run; for outputs=FOLDER choose metrics=inception or another")
    rulers = _rulers(config)
    truth = read_truth(true, holes, extractor, cache=config.paths.cache_folder, batch_size=config.batch_size, device="cpu")
    scores = measured(images, truth, batch_size=config.batch_size, rulers=rulers)
    references = References()
    if holes is not None:
        test = InpaintSet(true, holes, names, true, "outputs")
        references = _references(config, test, truth, rulers, filler=None, others=None, device="cpu")
    by_share = {label: _as_lists(found) for label, found in scores.by_hole_share().items()}
    cell = Cell(folder.name, 0, "outputs", _as_lists(scores.compute()), by_share)
    _write(out, [cell], references, _protocol(truth, rulers, others=0), score=distance_name(extractor.name))


def _grid(config: EvaluateConfig, filler: Filler) -> Grid:
    settings = filler.settings
    if config.decode.get("sweet_spot") is not None:
        raise ValueError(f"decode.sweet_spot: one trajectory gives all of them here, sweet_spots=[{settings.sweet_spot}]")
    names = config.schedules
    if settings.policy.adaptive and len(names) > 1:
        log.info(f"{settings.policy.name} follows no mask schedule: only {names[0]} of schedules is measured")
        names = names[:1]
    schedules = {name: _schedule(name, filler.tokenizer.num_image_tokens) for name in names}
    return Grid(settings=settings, schedules=schedules, sweet_spots=config.sweet_spots, seeds=config.seeds)


def _schedule(name: str, num_image_tokens: int) -> MaskSchedule:
    path = option_file("mask_schedule", name, config_folder())
    assert path is not None  # `check` has looked
    node = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(node, dict)
    return schedule_for({str(key): value for key, value in node.items()}, num_image_tokens)


def _first(test: InpaintSet, count: int | None) -> InpaintSet:
    if count is None or count >= len(test):
        return test
    truth = None if test.truth is None else test.truth[:count]
    return InpaintSet(test.images[:count], test.holes[:count], test.names[:count], truth, f"{test.fingerprint}-{count}")


def _rulers(config: EvaluateConfig) -> Rulers:
    """Return what is measured besides; what it needs and is not there is an error before the work."""
    if config.lpips_weights is not None and config.lpips is None:
        raise ValueError(f"lpips_weights needs lpips, the network that it holds: lpips={' or '.join(FILES)}")
    if config.telea:
        require_opencv()
    return Rulers(
        neighbours=config.neighbours,
        discrimination=config.discrimination,
        lpips=build_lpips(config.lpips, config.lpips_weights) if config.lpips else None,
        bins=HoleBins(tuple(config.hole_bins)),
    )


def _references(
    config: EvaluateConfig, test: InpaintSet, truth: Truth, rulers: Rulers, *, filler: Filler | None,
    others: np.ndarray | None, device: str,
) -> References:  # fmt: skip
    size, found = config.batch_size, References()
    tokenizer, decoder = (filler.tokenizer, filler.decoder) if filler else (None, None)
    outputs = reference_outputs(test, tokenizer=tokenizer, others=others, batch_size=size, telea=config.telea, decoder=decoder)
    for name, images in tqdm(outputs.items(), desc="Floors and ceilings", unit="set"):
        scores = measured(images, truth, batch_size=size, paired=name != OTHER_REAL, rulers=rulers, device=device)
        found.whole[name], found.by_hole_share[name] = scores.compute(), scores.by_hole_share()
    return found


def _as_lists(scores: Mapping[str, float]) -> dict[str, list[float]]:
    return {name: [value] for name, value in scores.items()}


def _protocol(truth: Truth, rulers: Rulers, *, others: int) -> dict[str, Any]:
    protocol = {**truth.extractor.protocol, **rulers.protocol, "num_true": len(truth), "num_outputs": len(truth)}
    if truth.holes is not None and rulers.bins.limits:
        protocol["num_by_hole_share"] = rulers.bins.counts(truth.holes)
    if others:
        protocol["num_other_real"] = min(others, len(truth))
    if len(truth) < truth.extractor.num_features:
        protocol["note"] = (
            f"{len(truth)} images are fewer than {truth.extractor.num_features} features: the covariances are singular and "
            "the distance depends on the number; compare it only with the same number of images"
        )
    return {**protocol, "provenance": provenance()}


def _write(
    out: Path, cells: list[Cell], references: References, protocol: dict[str, Any], *, score: str,
    single: Mapping[str, float] | None = None, codes: int = 0,
) -> None:  # fmt: skip
    """Write evaluation.json, table.md and table.csv, and print the table; `single`: of all hidden tokens predicted at once."""
    out.mkdir(parents=True, exist_ok=True)
    outputs = [name for name in (*OUTPUTS, "outputs") if any(cell.output == name for cell in cells)]
    content = {
        "protocol": protocol,
        "cells": [
            vars(cell) | {
                "scores": _with_spread(cell.scores),
                "by_hole_share": {label: _with_spread(scores) for label, scores in cell.by_hole_share.items()},
            }
            for cell in cells
        ],
        "references": references.whole,
        "references_by_hole_share": references.by_hole_share,
    }  # fmt: skip
    notes = grid_verdict(cells, references, score=score, output=outputs[-1])
    content["verdict"] = list(notes)
    if single is not None:
        content["single_prediction"] = single
        notes.append("All hidden tokens at once: " + ", ".join(f"{name} {value:.4g}" for name, value in single.items()))
        if single["token_cross_entropy"] >= math.log(codes):
            notes.append(
                f"That is no better than guessing among {codes} codes ({math.log(codes):.4g}): the transformer has learned nothing "
                "of these tokens, or it was trained with another tokenizer"
            )
    write_json(out / "evaluation.json", content)
    lines = [*notes, *(f"{key}: {value}" for key, value in protocol.items() if key != "provenance")]
    counts = protocol.get("num_by_hole_share", {})
    tables = markdown_tables(cells, references, score=score, outputs=outputs, counts=counts)
    write_text(out / "table.md", tables + "\n" + "\n".join(f"- {escaped(line)}" for line in lines) + "\n")
    with whole_file(out / "table.csv") as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([CSV_HEADER, *csv_rows(cells, references.whole)])
    log.info("\n" + terminal_tables(cells, references, score=score, outputs=outputs, counts=counts))
    for note in [*notes, *([f"Note: {protocol['note']}"] if "note" in protocol else [])]:
        log.info(note)
    log.info(f"\nWritten: {', '.join(shown_path(out / name) for name in WRITTEN)}")


def _with_spread(scores: Mapping[str, list[float]]) -> dict[str, Any]:
    return {name: Spread.of(values).as_dict() for name, values in scores.items()}
