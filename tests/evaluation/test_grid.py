"""The grid: every cell equals its own separate decode, whatever the batch size."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine, Linear
from maskgit_lab.evaluation.baselines import score_outputs
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.grid import Grid, GridScores, evaluate_grid
from maskgit_lab.evaluation.truth import Truth, read_truth
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from tests.support.builders import inpaint_set, model, tokenizer

pytestmark = pytest.mark.thorough

SCHEDULES = {"linear": Linear(), "cosine": Cosine()}
SETTINGS = DecodeSettings(schedule=Cosine(), num_steps=5)


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    test = inpaint_set(5)
    assert test.truth is not None
    extractor = TokenizerFeatures(tokenizer=tokenizer())
    return read_truth(test.truth, test.holes, extractor, cache=tmp_path, batch_size=3, device="cpu")


def grid(**changes: Any) -> Grid:
    return Grid(**{"settings": SETTINGS, "schedules": SCHEDULES, "sweet_spots": [2, 4], "seeds": [0, 1], **changes})


def network() -> MaskedTokenModel:
    """Return a network whose predictions depend on what it has just revealed."""
    made = model(num_layers=6, context=False)
    with torch.no_grad():
        for name, parameter in made.transformer.named_parameters():
            if "token_embedding" not in name:
                parameter.mul_(20)
    return made


def measured(truth: Truth, *, batch_size: int = 2, **changes: Any) -> GridScores:
    filler = Filler(network(), tokenizer(), SETTINGS)
    return evaluate_grid(filler, inpaint_set(5), truth, grid(**changes), batch_size=batch_size, num_shown=3)


def test_evaluate_grid_equals_a_separate_decode_in_every_cell(truth: Truth):
    test, result = inpaint_set(5), measured(truth)
    assert len(result.cells) == 2 * 2 * 2
    for cell in result.cells:
        for i, seed in enumerate(result.seeds):
            settings = DecodeSettings(schedule=SCHEDULES[cell.schedule], num_steps=5, sweet_spot=cell.sweet_spot)
            fill = Filler(network(), tokenizer(), settings, seed).fill(test.images, test.holes, range(5))
            expected = score_outputs(getattr(fill, cell.output).numpy(), truth, batch_size=5)
            assert {name: cell.scores[name][i] for name in expected} == pytest.approx(expected, rel=1e-4)
            shown = result.images[cell.schedule, cell.sweet_spot]
            if i == 0:
                np.testing.assert_array_equal(shown, fill.composited.numpy()[:3])
            true_tokens = tokenizer().encode(torch.from_numpy(truth.images))
            accuracy = float((fill.tokens == true_tokens)[fill.mask].float().mean())
            assert cell.scores["token_accuracy"][i] == pytest.approx(accuracy)


def test_evaluate_grid_measures_partial_refresh_as_it_decodes(truth: Truth):
    test, settings = inpaint_set(5), replace(SETTINGS, refresh_every=5)
    cells = {(c.schedule, c.sweet_spot, c.output): c for c in measured(truth, settings=settings).cells}
    fill = Filler(network(), tokenizer(), replace(settings, sweet_spot=4), 0).fill(test.images, test.holes, range(5))
    expected = score_outputs(fill.composited.numpy(), truth, batch_size=5)
    scores = cells["cosine", 4, "composited"].scores
    assert {name: scores[name][0] for name in expected} == pytest.approx(expected, rel=1e-4)
    exact = {(c.schedule, c.sweet_spot, c.output): c for c in measured(truth).cells}["cosine", 4, "composited"].scores
    assert scores["mae_hole"] != exact["mae_hole"]  # or refreshing would not have been measured


def test_evaluate_grid_does_not_depend_on_the_batch_size(truth: Truth):
    for small, large in zip(measured(truth).cells, measured(truth, batch_size=5).cells, strict=True):
        for name, values in small.scores.items():
            assert values == pytest.approx(large.scores[name], rel=1e-4, abs=1e-7)


def test_evaluate_grid_with_more_sweet_spots_changes_no_other(truth: Truth):
    few = {(c.schedule, c.sweet_spot, c.output): c.scores for c in measured(truth).cells}
    for cell in measured(truth, sweet_spots=[4, 5, 1, 2]).cells:
        if cell.sweet_spot in (2, 4):
            assert cell.scores == few[cell.schedule, cell.sweet_spot, cell.output]


def test_evaluate_grid_measures_a_single_prediction_of_the_checkpoint(truth: Truth):
    result = measured(truth)
    assert 0 < result.token_cross_entropy < 10
    assert 0 <= result.token_accuracy <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sweet_spots": [6]}, r"decode.sweet_spot must be from 1 to decode.num_steps \(5\), got 6"),
        ({"seeds": []}, "seeds must hold at least one value"),
        ({"seeds": [1, 1]}, "seeds holds a value twice"),
    ],
)
def test_grid_refuses_cells_that_cannot_be(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        grid(**changes)
