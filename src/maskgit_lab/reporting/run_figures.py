"""The figures of a run: fills, every schedule step by step, the schedules, the training curves."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from maskgit_lab.core.schedules import Arccos, Cosine, Cubic, Linear, MaskSchedule, Root, Square
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.test_set import MODEL_ROWS, TestScores
from maskgit_lab.reporting.curves import save_schedule_curves, save_training_curves
from maskgit_lab.reporting.figures import save_rows, save_schedule_figure

SCHEDULES: dict[str, MaskSchedule] = {kind.__name__.lower(): kind() for kind in (Linear, Cosine, Square, Cubic, Root, Arccos)}
ROWS_SHOWN = 8


def draw_run(filler: Filler, scores: TestScores, test: InpaintSet, figures: Path, *, metrics: Path, num_steps: int) -> list[Path]:
    """Write the run's figures: fills, every schedule step by step, schedules, training curves.

    Args:
        filler: of the run.
        scores: of the test images, with their fills.
        test: the test images.
        figures: the folder they go to.
        metrics: the run's metrics.csv, for the curves.
        num_steps: steps of the schedule figures (lab: 20).

    Returns:
        The paths of the figures.
    """
    columns = {"truth": test.truth} if test.truth is not None else {}
    columns |= {"input": test.images} | {name: scores.fills[name] for name in ("diffusion fill", *MODEL_ROWS)}
    paths = [_save_some(figures / "fills.png", columns, np.arange(len(test))[:ROWS_SHOWN])]
    if test.truth is not None:
        paths += _save_extremes(figures, columns, scores.fills[MODEL_ROWS[1]], test)
    for name, schedule in SCHEDULES.items():
        settings = dataclasses.replace(filler.settings, schedule=schedule, num_steps=num_steps, sweet_spot=None)
        fill = dataclasses.replace(filler, settings=settings).fill(test.images[:1], test.holes[:1], [0])
        grid = filler.tokenizer.grid
        masks = fill.trace.step_masks[:, 0].view(-1, grid, grid).cpu().numpy()
        tokens = fill.trace.step_tokens[:, 0]
        same = (torch.from_numpy(np.array(array[:1])).expand(len(tokens), *array.shape[1:]) for array in (test.images, test.holes))
        images = filler.pixels(tokens, *same).cpu().numpy()
        path = figures / f"schedule_{name}.png"
        paths.append(save_schedule_figure(path, name, step_masks=masks, step_images=images))
    paths.append(save_schedule_curves(figures / "schedules.png", SCHEDULES))
    curves = save_training_curves(figures / "training.png", metrics)
    return [*paths, *([curves] if curves else [])]


def _save_extremes(figures: Path, columns: Mapping[str, np.ndarray], filled: np.ndarray, test: InpaintSet) -> list[Path]:
    """Write the fills that are nearest to their truth and farthest from it, by the mean absolute error inside the hole."""
    assert test.truth is not None
    error = np.abs(filled.astype(np.int16) - test.truth).mean(-1)  # (n, H, W)
    per_image = np.where(test.holes, error, 0).sum((1, 2)) / test.holes.sum((1, 2)).clip(min=1)
    order = per_image.argsort(kind="stable")
    return [
        _save_some(figures / "fills_best.png", columns, order[:ROWS_SHOWN]),
        _save_some(figures / "fills_worst.png", columns, order[::-1][:ROWS_SHOWN]),
    ]


def _save_some(path: Path, columns: Mapping[str, np.ndarray], which: np.ndarray) -> Path:
    return save_rows(path, {name: images[which] for name, images in columns.items()})
