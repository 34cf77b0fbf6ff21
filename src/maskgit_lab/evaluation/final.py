"""The last act of a run: fill the test pictures, score them beside fills that need no model, and draw what happened."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from maskgit_lab.core.schedules import Arccos, Cosine, Cubic, Linear, MaskSchedule, Root, Square
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.curves import save_schedule_curves, save_training_curves
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.figures import save_rows, save_schedule_figure
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.output_scores import distance_name, is_higher_better
from maskgit_lab.evaluation.references import reference_outputs, score_outputs
from maskgit_lab.evaluation.tables import best_rows, render_markdown, render_table
from maskgit_lab.evaluation.truth import read_truth
from maskgit_lab.models.filling import to_uint8

SCHEDULES: dict[str, MaskSchedule] = {
    "linear": Linear(),
    "cosine": Cosine(),
    "square": Square(),
    "cubic": Cubic(),
    "root": Root(),
    "arccos": Arccos(),
}
ROWS_SHOWN = 8
MODEL_ROWS = ("model, decoded", "model, composited")
# rows that have seen the truth cannot win
CEILING = "VQGAN reconstruction"


@dataclass(frozen=True)
class TestScores:
    """Scores of every kind of fill on the test pictures, and the pictures themselves."""

    fills: dict[str, np.ndarray]  # (n, H, W, 3) uint8 each
    rows: list[dict[str, Any]]  # a row per fill; empty when the test pictures have no truth
    protocol: dict[str, Any]  # what the distance was measured with

    def table(self) -> tuple[list[str], list[list[Any]], list[set[int]]]:
        """Return headers, cells and, per column, the rows with the best value."""
        headers, cells = list(self.rows[0]), [list(row.values()) for row in self.rows]
        better: list[Literal["higher", "lower"] | None] = [
            None, *("higher" if is_higher_better(name) else "lower" for name in headers[1:])
        ]  # fmt: skip
        candidates = {i for i, row in enumerate(self.rows) if not row["fill"].startswith(CEILING)}
        return headers, cells, best_rows(cells, better, candidates=candidates)

    def terminal(self) -> str:
        """Return the table for the terminal."""
        headers, cells, best = self.table()
        return render_table(headers, cells, best=best)

    def markdown(self) -> str:
        """Return the table and its protocol as Markdown."""
        headers, cells, best = self.table()
        lines = [f"- {key}: {value}" for key, value in self.protocol.items()]
        return render_markdown(headers, cells, best=best) + "\n" + "\n".join(lines) + "\n"


def score_test_set(
    filler: Filler, test: InpaintSet, extractor: Extractor, *, cache: Path, batch_size: int
) -> TestScores:
    """Fill the test pictures and score them beside grey, diffusion and the tokenizer's reconstruction of the truth."""
    decoded, composited = np.empty_like(test.images), np.empty_like(test.images)
    with tqdm(total=len(test), desc="Filling test pictures", unit="img") as bar:
        for part, fill in filler.batches(test.images, test.holes, batch_size=batch_size):
            decoded[part], composited[part] = fill.decoded.cpu().numpy(), fill.composited.cpu().numpy()
            bar.update(len(fill.decoded))
    references = reference_outputs(test, tokenizer=filler.tokenizer, others=None, batch_size=batch_size)
    floors = {name: pictures for name, pictures in references.items() if not name.startswith(CEILING)}
    ceilings = {name: pictures for name, pictures in references.items() if name.startswith(CEILING)}
    fills = {**floors, MODEL_ROWS[0]: decoded, MODEL_ROWS[1]: composited, **ceilings}
    protocol = {**extractor.protocol, "num_pictures": len(test), "seed": filler.seed, **_decoding(filler)}
    if test.truth is None:
        return TestScores(fills, [], protocol)
    device = str(filler.tokenizer.device)
    extractor.to(device)
    truth = read_truth(test.truth, test.holes, extractor, cache=cache, batch_size=batch_size, device=device)
    shown = (distance_name(extractor.name), "psnr_hole", "ssim_hole", "mae_hole")
    rows = []
    for name, pictures in fills.items():
        scores = score_outputs(pictures, truth, batch_size=batch_size, device=device)
        rows.append({"fill": name, **{key: scores[key] for key in shown}})
    return TestScores(fills, rows, protocol)


def _decoding(filler: Filler) -> dict[str, Any]:
    settings = {f.name: getattr(filler.settings, f.name) for f in dataclasses.fields(filler.settings)}
    return {**settings, "schedule": repr(filler.settings.schedule)}


def draw_run(filler: Filler, scores: TestScores, test: InpaintSet, folder: Path, *, num_steps: int) -> list[Path]:
    """Write the run's pictures and return their paths: fills, every schedule step by step, schedules, training curves.

    Args:
        folder: the run folder; pictures go to figures/, the curves are read from metrics.csv.
        num_steps: steps of the schedule figures (lab: 20).
    """
    figures = folder / "figures"
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
        pictures = to_uint8(filler.tokenizer.decode(fill.trace.step_tokens[:, 0])).cpu().numpy()
        path = figures / f"schedule_{name}.png"
        paths.append(save_schedule_figure(path, name, step_masks=masks, step_images=pictures))
    paths.append(save_schedule_curves(figures / "schedules.png", SCHEDULES))
    curves = save_training_curves(figures / "training.png", folder / "metrics.csv")
    return [*paths, *([curves] if curves else [])]


def _save_extremes(
    figures: Path, columns: Mapping[str, np.ndarray], filled: np.ndarray, test: InpaintSet
) -> list[Path]:
    """Write the fills that are nearest to their truth and farthest from it, by the mean absolute error inside the hole."""
    assert test.truth is not None
    error = np.abs(filled.astype(np.int16) - test.truth).mean(-1)  # (n, H, W)
    per_picture = np.where(test.holes, error, 0).sum((1, 2)) / test.holes.sum((1, 2)).clip(min=1)
    order = per_picture.argsort(kind="stable")
    return [
        _save_some(figures / "fills_best.png", columns, order[:ROWS_SHOWN]),
        _save_some(figures / "fills_worst.png", columns, order[::-1][:ROWS_SHOWN]),
    ]


def _save_some(path: Path, columns: Mapping[str, np.ndarray], which: np.ndarray) -> Path:
    return save_rows(path, {name: pictures[which] for name, pictures in columns.items()})
