"""The table of schedules and sweet spots from one checkpoint: every cell over several decoding seeds.

The sweet spots of one schedule lie on one decoding trajectory, so each schedule and seed is decoded once and read at every sweet
spot. Images are encoded once for the whole table, and the first step, where everything is hidden, may be shared by all cells.
The seeds' fills of one image are candidates for its hole: their diversity and the best of them are scores, too.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.pixels import composite
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.image_set import InpaintSet, slices
from maskgit_lab.evaluation.candidates import CandidateScores
from maskgit_lab.evaluation.fill_set import NOISE_STREAM, Filler
from maskgit_lab.evaluation.output_scores import OutputScores
from maskgit_lab.evaluation.rulers import PLAIN, Rulers
from maskgit_lab.evaluation.truth import Truth
from maskgit_lab.models.filling import decode_masked, predict_at_once, read_masked

OUTPUTS = ("decoded", "composited")


@dataclass(frozen=True)
class Grid:
    """Which cells to measure, and how they are decoded otherwise."""

    settings: DecodeSettings  # its schedule and sweet spot are replaced
    schedules: Mapping[str, MaskSchedule]
    sweet_spots: Sequence[int]
    seeds: Sequence[int]

    def __post_init__(self) -> None:
        for name in ("schedules", "sweet_spots", "seeds"):
            if not len(getattr(self, name)):
                raise ValueError(f"{name} must hold at least one value")
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name} holds a value twice: {list(getattr(self, name))}")
        for schedule in self.schedules.values():
            for sweet_spot in self.sweet_spots:
                self.cell(schedule, sweet_spot)

    def cell(self, schedule: MaskSchedule, sweet_spot: int) -> DecodeSettings:
        """Return how a cell is decoded; errors name the key."""
        return dataclasses.replace(self.settings, schedule=schedule, sweet_spot=sweet_spot)


@dataclass(frozen=True)
class Cell:
    """The scores of one kind of output at one schedule and sweet spot."""

    schedule: str
    sweet_spot: int
    output: str  # decoded | composited
    scores: dict[str, list[float]]  # score -> a value per seed, or one over all seeds (diversity and best-of)
    by_hole_share: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # bin of the hole's share -> its scores

    @property
    def label(self) -> str:
        """Its name in a table; outputs from elsewhere have no sweet spot (0)."""
        return f"{self.schedule}, sweet spot {self.sweet_spot}" if self.sweet_spot else self.schedule


@dataclass
class GridScores:
    """What a grid measured."""

    cells: list[Cell]
    seeds: list[int]
    token_cross_entropy: float  # nats per hidden token, all hidden at once
    token_accuracy: float  # of that single prediction
    images: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # composited at the first seed, the first few


def evaluate_grid(
    filler: Filler,
    test: InpaintSet,
    truth: Truth,
    grid: Grid,
    *,
    batch_size: int,
    rulers: Rulers = PLAIN,
    num_shown: int = 8,
    progress: Callable[[int], object] = lambda num_images: None,
) -> GridScores:
    """Measure every cell.

    Args:
        filler: networks and precision; its settings and seed are not used.
        test: images with holes.
        truth: of the same images.
        grid: the cells.
        batch_size: images at once; changes no fill.
        rulers: what is measured besides.
        num_shown: images kept of every cell.
        progress: called with the number of images after every trajectory of a batch.

    Returns:
        The scores of every cell, and of one prediction of all hidden tokens at once.
    """
    device = str(filler.tokenizer.device)
    keys = itertools.product(grid.schedules, grid.sweet_spots, OUTPUTS, grid.seeds)
    scores = {key: OutputScores(truth, rulers=rulers, device=device) for key in keys}
    at_once = np.zeros(3)  # all hidden tokens in one prediction: summed cross entropy, correct, hidden
    together = {key: CandidateScores() for key in itertools.product(grid.schedules, grid.sweet_spots)}
    shown: dict[tuple[str, int], list[np.ndarray]] = {key: [] for key in itertools.product(grid.schedules, grid.sweet_spots)}
    filler.model.eval()
    with filler.model.weights_fixed():
        for part in slices(len(test), batch_size):
            images, holes = (torch.from_numpy(np.array(array[part])) for array in (test.images, test.holes))
            masked = read_masked(
                filler.model, filler.tokenizer, images, holes,
                mask_dilation=grid.settings.mask_dilation, autocast=filler.autocast,
            )  # fmt: skip
            true_images = torch.from_numpy(np.array(truth.images[part]))
            true_tokens = filler.tokenizer.encode(true_images)
            candidates: dict[tuple[str, int], list[Tensor]] = {key: [] for key in together}
            logits = predict_at_once(filler.model, masked, autocast=filler.autocast)
            at_once += _compared(logits.float(), true_tokens[masked.mask])
            for name, seed in itertools.product(grid.schedules, grid.seeds):
                generators = image_generators(seed, NOISE_STREAM, range(part.start, part.stop))
                whole = grid.cell(grid.schedules[name], max(grid.sweet_spots))
                trace = decode_masked(filler.model, masked, settings=whole, generators=generators, autocast=filler.autocast)
                for spot in grid.sweet_spots:
                    tokens = trace.step_tokens[spot - 1]
                    decoded = filler.pixels(tokens, masked.images, masked.holes)
                    filled = composite(decoded, masked.images, masked.holes, blend=whole.mask_blend_pixels)
                    for output, outputs in zip(OUTPUTS, (decoded, filled), strict=True):
                        scores[name, spot, output, seed].add(outputs, part)
                        scores[name, spot, output, seed].add_tokens(tokens, true_tokens, masked.mask)
                    candidates[name, spot].append(filled)
                    if seed == grid.seeds[0] and part.start < num_shown:
                        shown[name, spot].append(filled.cpu().numpy()[: num_shown - part.start])
                progress(len(images))
            if len(grid.seeds) > 1:
                for key, fills in candidates.items():
                    together[key].add(fills, true_images.to(masked.holes.device), masked.holes)
    cells = []
    for name, spot, output in itertools.product(grid.schedules, grid.sweet_spots, OUTPUTS):
        of_cell = [scores[name, spot, output, seed] for seed in grid.seeds]
        found_scores = _per_seed([found.compute() for found in of_cell])
        if output == "composited" and len(grid.seeds) > 1:
            found_scores |= {score: [value] for score, value in together[name, spot].compute().items()}
        bins = [found.by_hole_share() for found in of_cell]
        by_share = {label: _per_seed([found[label] for found in bins]) for label in bins[0]}
        cells.append(Cell(name, spot, output, found_scores, by_share))
    kept = {key: np.concatenate(parts) for key, parts in shown.items()}
    cross_entropy, accuracy = (at_once[:2] / max(1, at_once[2])).tolist()
    return GridScores(cells, list(grid.seeds), cross_entropy, accuracy, kept)


def _per_seed(found: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return the values of all seeds by score."""
    return {score: [values[score] for values in found] for score in found[0]}


def _compared(logits: Tensor, target: Tensor) -> tuple[float, int, int]:
    """Return the summed cross entropy of logits (M, V + 1) and true tokens (M,), how many are predicted exactly, and M."""
    loss = F.cross_entropy(logits, target, reduction="sum")
    return float(loss), int((logits.argmax(-1) == target).sum()), len(target)
