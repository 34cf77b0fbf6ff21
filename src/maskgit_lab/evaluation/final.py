"""The last act of a run: fill the test pictures, score them beside fills that need no model, and draw what happened."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from maskgit_lab.core.schedules import Arccos, Cosine, Cubic, Linear, MaskSchedule, Root, Square
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.curves import save_schedule_curves, save_training_curves
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.figures import save_rows, save_schedule_figure
from maskgit_lab.evaluation.fill_set import Filler, unit_range
from maskgit_lab.evaluation.fills import diffusion_fill, grey_fill
from maskgit_lab.evaluation.frechet import FrechetDistance
from maskgit_lab.evaluation.hole_metrics import HoleMAE, HolePSNR, HoleSSIM
from maskgit_lab.evaluation.tables import render_markdown, render_table
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


@dataclass(frozen=True)
class TestScores:
    """Scores of every kind of fill on the test pictures, and the pictures themselves."""

    fills: dict[str, np.ndarray]  # (n, H, W, 3) uint8 each
    rows: list[dict[str, Any]]  # a row per fill; empty when the test pictures have no truth
    protocol: dict[str, Any]  # what the distance was measured with

    def headers(self) -> list[str]:
        """Return the column names."""
        return list(self.rows[0])

    def cells(self) -> list[list[Any]]:
        """Return the table's cells, row by row."""
        return [list(row.values()) for row in self.rows]

    def best(self) -> list[set[int]]:
        """Return, per column, the rows with the best value among real fills; the reconstruction has seen the truth."""
        candidates = [i for i, row in enumerate(self.rows) if not row["fill"].startswith("VQGAN")]
        marks: list[set[int]] = [set()]
        for header in self.headers()[1:]:
            values = {i: self.rows[i][header] for i in candidates if self.rows[i][header] is not None}
            pick = max if header.startswith(("PSNR", "SSIM")) else min
            target = pick(values.values()) if values else None
            marks.append({i for i, value in values.items() if value == target})
        return marks

    def terminal(self) -> str:
        """Return the table for the terminal."""
        return render_table(self.headers(), self.cells(), best=self.best())

    def markdown(self) -> str:
        """Return the table and its protocol as Markdown."""
        lines = [f"- {key}: {value}" for key, value in self.protocol.items()]
        return render_markdown(self.headers(), self.cells(), best=self.best()) + "\n" + "\n".join(lines) + "\n"


def score_test_set(
    filler: Filler, test: InpaintSet, extractor: Extractor, *, distance_name: str, batch_size: int
) -> TestScores:
    """Fill the test pictures and score them beside grey, diffusion and the tokenizer's reconstruction of the truth."""
    decoded, composited = np.empty_like(test.images), np.empty_like(test.images)
    with tqdm(total=len(test), desc="Filling test pictures", unit="img") as bar:
        for part, fill in filler.batches(test.images, test.holes, batch_size=batch_size):
            decoded[part], composited[part] = fill.decoded.cpu().numpy(), fill.composited.cpu().numpy()
            bar.update(len(fill.decoded))
    fills = {
        "grey fill": grey_fill(test.images, test.holes),
        "diffusion fill": diffusion_fill(test.images, test.holes),
        MODEL_ROWS[0]: decoded,
        MODEL_ROWS[1]: composited,
    }
    protocol = {**extractor.protocol, "num_pictures": len(test), "seed": filler.seed, **_decoding(filler)}
    if test.truth is None:
        return TestScores(fills, [], protocol)
    fills["VQGAN reconstruction of the truth"] = _reconstruct(filler, test.truth, batch_size)
    distance = FrechetDistance(extractor).to(filler.tokenizer.device)
    rows = [
        {"fill": name, distance_name: value, **hole}
        for (name, value), hole in zip(
            _distances(distance, test.truth, fills, batch_size).items(),
            (_hole_scores(pictures, test, batch_size) for pictures in fills.values()),
            strict=True,
        )
    ]
    return TestScores(fills, rows, protocol)


def _decoding(filler: Filler) -> dict[str, Any]:
    settings = {f.name: getattr(filler.settings, f.name) for f in dataclasses.fields(filler.settings)}
    return {**settings, "schedule": repr(filler.settings.schedule)}


def _reconstruct(filler: Filler, truth: np.ndarray, batch_size: int) -> np.ndarray:
    tokenizer = filler.tokenizer
    parts = [
        to_uint8(tokenizer.decode(tokenizer.encode(torch.from_numpy(np.array(truth[i : i + batch_size])))))
        .cpu()
        .numpy()
        for i in range(0, len(truth), batch_size)
    ]
    return np.concatenate(parts)


def _distances(
    distance: FrechetDistance, truth: np.ndarray, fills: dict[str, np.ndarray], batch_size: int
) -> dict[str, float]:
    """Return the distance of each fill; the truth goes through the extractor once."""
    device = distance.device
    for start in range(0, len(truth), batch_size):
        distance.update(unit_range(truth[start : start + batch_size]).to(device), real=True)
    assert isinstance(distance.real_features, list)
    real = list(distance.real_features)
    result = {}
    for name, pictures in fills.items():
        distance.reset()
        distance.real_features = list(real)
        for start in range(0, len(pictures), batch_size):
            distance.update(unit_range(pictures[start : start + batch_size]).to(device), real=False)
        result[name] = float(distance.compute())
    return result


def _hole_scores(pictures: np.ndarray, test: InpaintSet, batch_size: int) -> dict[str, float]:
    assert test.truth is not None
    metrics = {"PSNR hole": HolePSNR(), "SSIM hole": HoleSSIM(), "MAE hole": HoleMAE()}
    for start in range(0, len(pictures), batch_size):
        part = slice(start, start + batch_size)
        filled, truth = unit_range(pictures[part]), unit_range(test.truth[part])
        for metric in metrics.values():
            metric.update(filled, truth, torch.from_numpy(np.array(test.holes[part])))
    return {name: float(metric.compute()) for name, metric in metrics.items()}


def draw_run(filler: Filler, scores: TestScores, test: InpaintSet, folder: Path, *, num_steps: int) -> list[Path]:
    """Write the run's pictures and return their paths: fills, every schedule step by step, schedules, training curves.

    Args:
        folder: the run folder; pictures go to figures/, the curves are read from metrics.csv.
        num_steps: steps of the schedule figures (lab: 20).
    """
    figures = folder / "figures"
    shown = slice(0, ROWS_SHOWN)
    columns = {"truth": test.truth} if test.truth is not None else {}
    columns |= {"input": test.images} | {name: scores.fills[name] for name in ("diffusion fill", *MODEL_ROWS)}
    paths = [save_rows(figures / "fills.png", {name: pictures[shown] for name, pictures in columns.items()})]
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
