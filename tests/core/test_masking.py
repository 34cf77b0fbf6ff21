"""Which tokens a hole hides, and which ones training hides."""

import math

import pytest
import torch

from maskgit_lab.core.masking import keep_hidden_count, sample_mvtm_mask, smallest_k_mask, token_mask
from maskgit_lab.core.randomness import generator
from maskgit_lab.core.schedules import Cosine, Linear, Square
from tests.support.oracle import masked_positions


def test_token_mask_of_one_hole_pixel_is_exactly_its_cell():
    holes = torch.zeros(1, 64, 64, dtype=torch.bool)
    holes[0, 7, 11] = True  # row 1, column 2 of the 16x16 grid
    assert token_mask(holes, grid=16)[0].nonzero().flatten().tolist() == [1 * 16 + 2]


def test_token_mask_grows_by_whole_cells_with_dilation():
    holes = torch.zeros(1, 64, 64, dtype=torch.bool)
    holes[0, 20, 20] = True
    assert int(token_mask(holes, grid=16, dilation=1).sum()) == 9
    assert int(token_mask(holes, grid=16, dilation=2).sum()) == 25


def test_token_mask_refuses_holes_that_do_not_divide_into_cells():
    with pytest.raises(ValueError, match="60x60"):
        token_mask(torch.zeros(1, 60, 60, dtype=torch.bool), grid=16)


def test_smallest_k_mask_breaks_ties_by_position():
    values = torch.tensor([[1.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    picked = smallest_k_mask(values, torch.tensor([2, 3]))
    assert picked.tolist() == [[False, True, True, False], [True, True, True, False]]


@pytest.mark.parametrize("num_steps", [1, 3, 5, 7, 20])
@pytest.mark.parametrize("n0", [1, 7, 31, 85, 139, 256])
def test_keep_hidden_count_is_the_exact_floor_for_the_linear_schedule(num_steps, n0):
    schedule = Linear()
    for t in range(1, num_steps + 1):
        exact = n0 * (num_steps - t) // num_steps  # integer arithmetic: floats such as 1 - 3/7 round below it
        assert int(keep_hidden_count(torch.tensor([n0]), schedule(t / num_steps))) == exact


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), Square()], ids=repr)
def test_sample_mvtm_mask_equals_the_plain_loop_for_the_same_noise(schedule):
    candidates = torch.rand(6, 32, generator=torch.Generator().manual_seed(3)) < torch.tensor(
        [[0.0], [0.05], [0.3], [0.6], [0.9], [1.1]]
    )
    result = sample_mvtm_mask(candidates, schedule=schedule, generator=generator(0, "mask", 5))
    same = generator(0, "mask", 5)
    progress, noise = torch.rand(6, generator=same, dtype=torch.float64), torch.rand(6, 32, generator=same)
    for row in range(6):
        expected = masked_positions(candidates[row], noise[row], float(progress[row]), schedule)
        assert set(result[row].nonzero().flatten().tolist()) == expected


def test_sample_mvtm_mask_hides_at_least_one_token_and_only_candidates():
    candidates = torch.ones(512, 16, dtype=torch.bool)
    candidates[:, 8:] = False
    mask = sample_mvtm_mask(candidates, schedule=Linear(), generator=generator(1, "mask"))
    assert int(mask.sum(1).min()) >= 1
    assert not bool(mask[:, 8:].any())


def test_sample_mvtm_mask_hides_the_schedules_mean_share():
    mask = sample_mvtm_mask(torch.ones(4000, 256, dtype=torch.bool), schedule=Cosine(), generator=generator(2, "mask"))
    assert float(mask.float().mean()) == pytest.approx(2 / math.pi, abs=0.02)  # the integral of cos(pi r / 2)


def test_sample_mvtm_mask_hides_between_the_least_and_the_largest_share():
    candidates = torch.ones(2000, 256, dtype=torch.bool)
    hidden = sample_mvtm_mask(candidates, schedule=Linear(), generator=generator(3, "mask"), share=(0.12, 0.54)).float().mean(1)
    assert float(hidden.min()) == pytest.approx(0.12, abs=0.01)
    assert float(hidden.max()) == pytest.approx(0.54, abs=0.01)
    assert float(hidden.mean()) == pytest.approx(0.33, abs=0.01)
