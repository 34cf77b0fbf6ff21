"""The schedule figure: what each step revealed, told apart from what was known and what is hidden."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.reporting.canvas import HIDDEN_COLOUR
from maskgit_lab.reporting.schedule_figure import IMAGE, MAP, NEW_COLOUR, Reveal, confidence_colours, save_schedule_figure


def reveal(num_steps: int, *, left: int = 0, **more: np.ndarray) -> Reveal:
    """Return the decoding of a 4 x 4 grid, all hidden at first, of which the last step leaves so many cells."""
    counts = np.linspace(16, left, num_steps + 1).astype(int)[1:]
    masks = np.stack([(np.arange(16) < count).reshape(4, 4) for count in counts])
    images = np.full((num_steps, 16, 16, 3), 200, np.uint8)
    return Reveal(hole=np.ones((16, 16), bool), step_images=images, step_masks=masks, **more)


def drawn(path: Path, what: Reveal, **options: object) -> np.ndarray:
    return np.asarray(Image.open(save_schedule_figure(path, "cosine", what, **options)).convert("RGB"))  # type: ignore[arg-type]


def amount(sheet: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((sheet == colour).all(-1).sum())


def test_reveal_counts_every_hidden_cell_once():
    what = reveal(5)
    revealed = np.stack([what.revealed_in(step) for step in range(5)])
    assert (revealed.sum(0) == 1).all()


def test_reveal_begins_with_the_cells_that_the_hole_touches():
    hole = np.zeros((16, 16), bool)
    hole[3, 3:5] = True
    what = Reveal(hole=hole, step_images=np.zeros((1, 16, 16, 3), np.uint8), step_masks=np.zeros((1, 4, 4), bool))
    assert what.hidden_at_first.nonzero()[0].tolist() == [0, 0]
    assert what.revealed_in(0).sum() == 2


def test_save_schedule_figure_wraps_many_steps_into_equal_bands(tmp_path: Path):
    sizes = {steps: drawn(tmp_path / "s.png", reveal(steps)).shape for steps in (6, 12)}
    assert sizes[6][1] == sizes[12][1]
    assert sizes[12][0] > 1.8 * sizes[6][0]


def test_save_schedule_figure_shows_what_is_hidden_and_outlines_what_is_new(tmp_path: Path):
    sheets = [drawn(tmp_path / "s.png", reveal(1, left=left), rows=[MAP]) for left in (0, 8, 16)]
    hidden = [amount(sheet, HIDDEN_COLOUR) for sheet in sheets]
    assert hidden[2] - hidden[0] == 2 * (hidden[1] - hidden[0]) > 0
    outlines = [amount(sheet, NEW_COLOUR) for sheet in sheets]
    assert outlines[0] > outlines[1] > outlines[2] > 0  # the legend has one


def test_save_schedule_figure_veils_the_image_where_it_is_hidden(tmp_path: Path):
    bright = [amount(drawn(tmp_path / "s.png", reveal(1, left=left), rows=[IMAGE]), (200, 200, 200)) for left in (0, 8, 16)]
    assert bright[0] > bright[1] > bright[2]
    assert bright[2] < 50  # letters


def test_save_schedule_figure_colours_by_confidence(tmp_path: Path):
    confidence = np.linspace(0.05, 0.5, 16).reshape(4, 4)
    what = reveal(1, confidence=confidence)
    assert what.highest_confidence == pytest.approx(0.5)
    sheet = drawn(tmp_path / "s.png", what, rows=[MAP])
    found = [amount(sheet, tuple(confidence_colours(value / 0.5).astype(int))) for value in confidence.ravel()]  # type: ignore[arg-type]
    assert min(found) > 100
    brightness = confidence_colours(np.linspace(0, 1, 50)).sum(-1)
    assert all(a < b for a, b in itertools.pairwise(brightness))


def test_save_schedule_figure_puts_input_fill_and_truth_above(tmp_path: Path):
    reference = np.full((16, 16, 3), 123, np.uint8)
    taller = drawn(tmp_path / "s.png", reveal(2, image=reference, truth=reference, result=reference))
    assert taller.shape[0] > drawn(tmp_path / "s.png", reveal(2)).shape[0] + 150
    assert amount(taller, (123, 123, 123)) > 2.5 * 160**2  # less the outline of the hole
