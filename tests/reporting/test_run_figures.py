"""What goes into a run's figures: the schedules, one decoding step by step, the columns of fills and their scores."""

import numpy as np
import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine, MaskSchedule, Square
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.reporting.lab_figures import lab_figure_names
from maskgit_lab.reporting.reveal import reveal_of
from maskgit_lab.reporting.run_figures import SCHEDULES, fill_columns, schedules_to_draw, score_notes
from tests.support.builders import inpaint_set, model, tokenizer


class Mine(MaskSchedule):
    """A schedule from outside the package."""

    def share(self, r: Tensor) -> Tensor:
        return 1 - r


def filler(**changes: object) -> Filler:
    settings = DecodeSettings(**{"schedule": Cosine(), "num_steps": 3, **changes})  # type: ignore[arg-type]
    return Filler(model().eval(), tokenizer(), settings)


def test_schedules_to_draw_begin_with_the_runs_own_whoever_wrote_it():
    assert list(schedules_to_draw(Mine())) == ["mine", *SCHEDULES]
    assert next(iter(schedules_to_draw(Square()))) == "square"
    assert len(schedules_to_draw(Square())) == len(SCHEDULES)


def test_lab_figure_names_are_numbered_one_to_six_and_eight_for_three_schedules():
    names = list(lab_figure_names(["linear", "cosine", "square"]).values())
    assert [name.split("_")[1] for name in names] == ["1", "2", "3", "4", "5", "6", "8"]
    assert list(lab_figure_names(["mine"]).values())[-1] == "figure_4_fills.png"


@pytest.mark.parametrize("composited", [True, False])
def test_reveal_of_an_image_shows_every_hidden_token_once_and_how_sure_it_was(composited: bool):
    test = inpaint_set(3)
    reveal = reveal_of(filler(), test, schedule=Square(), num_steps=4, index=1, composited=composited)
    revealed = np.stack([reveal.revealed_in(step) for step in range(4)])
    np.testing.assert_array_equal(revealed.sum(0), reveal.hidden_at_first)
    assert reveal.confidence is not None
    assert ((reveal.confidence > 0) & (reveal.confidence <= 1)).all()
    assert (reveal.confidence[~reveal.hidden_at_first] == 1).all()
    known = ~test.holes[1]
    same = [np.array_equal(image[known], test.images[1][known]) for image in reveal.step_images]
    assert same == [composited] * 4


def test_fill_columns_have_samples_where_tokens_are_sampled_and_end_with_the_reconstruction():
    test, which = inpaint_set(3), np.arange(2)
    names = ("diffusion fill", "model, decoded", "model, composited", "VQGAN reconstruction, composited")
    fills = dict.fromkeys(names, test.images)
    plain = list(fill_columns(filler(), fills, test, which))
    assert plain == ["truth", "input", "diffusion fill", "decoded", "composited", "reconstruction"]
    sampled = fill_columns(filler(token_temperature=1.0), fills, test, which)
    assert list(sampled) == [*plain[:-1], "sample 2", "sample 3", "reconstruction"]
    assert not np.array_equal(sampled["sample 2"], sampled["sample 3"])


def test_score_notes_are_of_the_hole_of_each_fill_only():
    test = inpaint_set(2)
    assert test.truth is not None
    wrong = np.array(test.truth)
    wrong[test.holes] = np.where(test.truth[test.holes] > 127, test.truth[test.holes] - 10, test.truth[test.holes] + 10)
    notes = score_notes({"input": test.images, "composited": wrong, "mine": wrong}, test.holes, test.truth, of=("mine",))
    assert notes == {"composited": ["28.1 dB, MAE 10.0"] * 2, "mine": ["28.1 dB, MAE 10.0"] * 2}
    assert score_notes({"composited": wrong}, test.holes, None) == {}


def test_decode_log_p_is_zero_where_tokens_were_known():
    test = inpaint_set(2)
    fill = filler().fill(test.images, test.holes, range(2))
    assert torch.equal(fill.trace.log_p[~fill.mask], torch.zeros(int((~fill.mask).sum())))
    assert (fill.trace.log_p[fill.mask] < 0).all()
