"""The figures of a run: fills, every schedule step by step, the schedules, the training curves."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from maskgit_lab.core.schedules import Arccos, Cosine, Cubic, Linear, MaskSchedule, Root, Square
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.hole_metrics import scores_of_each
from maskgit_lab.evaluation.test_set import CEILING, MODEL_ROWS, TestScores
from maskgit_lab.reporting.curves import save_schedule_curves, save_training_curves
from maskgit_lab.reporting.figures import save_rows
from maskgit_lab.reporting.reveal import reveal_of
from maskgit_lab.reporting.schedule_figure import save_schedule_figure

SCHEDULES: dict[str, MaskSchedule] = {kind.__name__.lower(): kind() for kind in (Linear, Cosine, Square, Cubic, Root, Arccos)}
ROWS_SHOWN = 8
SAMPLES_SHOWN = 3  # of one hole, where tokens are sampled
RECONSTRUCTION = "reconstruction"
# headings of the figures of fills -> the fills' names in the table
COLUMNS = {
    "diffusion fill": "diffusion fill",
    "decoded": MODEL_ROWS[0],
    "composited": MODEL_ROWS[1],
    RECONSTRUCTION: f"{CEILING}, composited",
}
WITH_SCORES = ("diffusion fill", "composited", "sample", RECONSTRUCTION)  # the decoded image has the composited one's hole


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
    paths = [_save_fills(figures / "fills.png", filler, scores, test, np.arange(len(test))[:ROWS_SHOWN])]
    if test.truth is not None:
        order = scores_of_each(scores.fills[MODEL_ROWS[1]], test.truth, test.holes)["mae_hole"].argsort(kind="stable")
        some = {"best": order[:ROWS_SHOWN], "worst": order[::-1][:ROWS_SHOWN]}
        paths += [_save_fills(figures / f"fills_{name}.png", filler, scores, test, which) for name, which in some.items()]
    drawn = schedules_to_draw(filler.settings.schedule)
    for name, schedule in drawn.items():
        reveal = reveal_of(filler, test, schedule=schedule, num_steps=num_steps)
        paths.append(save_schedule_figure(figures / f"schedule_{name}.png", name, reveal))
    own = own_name(filler.settings.schedule)
    paths.append(save_schedule_curves(figures / "schedules.png", drawn, own=own))
    curves = save_training_curves(figures / "training.png", metrics)
    return [*paths, *([curves] if curves else [])]


def own_name(schedule: MaskSchedule) -> str:
    """Return the name of a schedule in figures and files: that of its class."""
    return type(schedule).__name__.lower()


def schedules_to_draw(own: MaskSchedule) -> dict[str, MaskSchedule]:
    """Return the schedules of the figures by name: the run's own first, then the usual ones."""
    return {own_name(own): own} | {name: schedule for name, schedule in SCHEDULES.items() if name != own_name(own)}


def fill_columns(filler: Filler, fills: Mapping[str, np.ndarray], test: InpaintSet, which: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a figure of fills for the images numbered `which`; samples where tokens are sampled."""
    columns = {} if test.truth is None else {"truth": np.asarray(test.truth)[which]}
    columns |= {"input": test.images[which]}
    columns |= {heading: fills[name][which] for heading, name in COLUMNS.items() if name in fills}
    reconstruction = {RECONSTRUCTION: columns.pop(RECONSTRUCTION)} if RECONSTRUCTION in columns else {}
    settings = filler.settings
    if settings.token_temperature > 0 or settings.policy.sets_token_temperature:
        candidates = filler.candidates(test.images[which], test.holes[which], which.tolist(), num_samples=SAMPLES_SHOWN)
        for number, fill in enumerate(candidates[1:], start=2):
            columns[f"sample {number}"] = fill.composited.cpu().numpy()
    return columns | reconstruction


def score_notes(
    columns: Mapping[str, np.ndarray], holes: np.ndarray, truth: np.ndarray | None, *, of: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """Return a line of scores inside the hole for each image of the columns that are fills, those named in `of` too."""
    if truth is None:
        return {}
    notes = {}
    for heading, images in columns.items():
        if heading.startswith((*WITH_SCORES, *of)):
            found = scores_of_each(images, truth, holes)
            notes[heading] = [
                f"{psnr:.1f} dB, MAE {mae:.1f}" for psnr, mae in zip(found["psnr_hole"], found["mae_hole"], strict=True)
            ]
    return notes


def _save_fills(path: Path, filler: Filler, scores: TestScores, test: InpaintSet, which: np.ndarray) -> Path:
    columns, holes = fill_columns(filler, scores.fills, test, which), test.holes[which]
    return save_rows(path, columns, holes=holes, notes=score_notes(columns, holes, columns.get("truth")))
