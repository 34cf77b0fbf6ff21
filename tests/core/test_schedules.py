"""The schedules' ends, direction and published values."""

import math

import pytest
import torch

from maskgit_lab.core import schedules as s

ALL = [
    s.Linear(), s.Cosine(), s.Square(), s.Cubic(), s.Root(), s.Arccos(), s.Logarithmic(), s.Exponential(), s.Sigmoid(),
    s.Vector(shares=[0.9, 0.5, 0.2, 0.0]),
]  # fmt: skip


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_schedules_hide_everything_at_the_start_and_nothing_at_the_end(schedule):
    assert schedule(0.0) == pytest.approx(1.0, abs=1e-12)
    assert schedule(1.0) == pytest.approx(0.0, abs=1e-12)
    assert math.floor(256 * schedule(1.0)) == 0


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_schedules_never_rise_and_stay_in_range(schedule):
    shares = schedule(torch.linspace(0, 1, 201, dtype=torch.float64))
    assert bool((shares.diff() <= 1e-12).all())
    assert float(shares.min()) >= 0
    assert float(shares.max()) <= 1


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_schedules_agree_on_floats_and_tensors(schedule):
    assert schedule(0.375) == float(schedule(torch.tensor(0.375, dtype=torch.float64)))
    assert schedule(torch.rand(2, 3)).shape == (2, 3)


@pytest.mark.parametrize(
    ("schedule", "value"),
    [
        (s.Linear(), 0.5), (s.Cosine(), math.sqrt(0.5)), (s.Square(), 0.75), (s.Cubic(), 0.875),
        (s.Root(), 1 - math.sqrt(0.5)), (s.Arccos(), 2 / 3), (s.Logarithmic(num_image_tokens=256), 1 / 8),
        (s.Sigmoid(), 0.5),
    ],
    ids=repr,
)  # fmt: skip
def test_schedules_follow_their_formula_halfway(schedule, value):
    assert schedule(0.5) == pytest.approx(value, abs=1e-9)


def test_vector_reproduces_its_list_at_every_step():
    shares = [0.97, 0.8, 0.55, 0.3, 0.1, 0.05, 0.0]
    schedule = s.Vector(shares=shares)
    assert [schedule((t + 1) / 7) for t in range(7)] == pytest.approx(shares, abs=1e-9)


@pytest.mark.parametrize("shares", [[], [0.5], [0.2, 0.4, 0.0], [1.2, 0.0], [-0.1, 0.0]])
def test_vector_refuses_bad_shares_by_its_config_key(shares):
    with pytest.raises(ValueError, match=r"mask_schedule\.shares"):
        s.Vector(shares=shares)
