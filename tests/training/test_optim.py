"""The learning rate over a run, against the formula, and Adam against torch's."""

import math

import pytest
import torch

from maskgit_lab.training.optim import AdamSettings


def test_lr_factor_of_cosine_goes_from_lr_to_its_final_share():
    settings = AdamSettings(lr=2.0, final_lr_share=0.1)
    expected = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / 10)) for step in range(11)]
    assert [settings.lr_factor(step, 10) for step in range(11)] == pytest.approx(expected)


def test_lr_factor_rises_from_the_first_step_of_a_warm_up():
    settings = AdamSettings(warmup_steps=4)
    assert [settings.lr_factor(step, 100) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert settings.lr_factor(4, 100) == 1.0


def test_lr_factor_beyond_the_end_stays_at_the_end():
    assert AdamSettings(final_lr_share=0.2).lr_factor(500, 100) == pytest.approx(0.2)


def test_lr_factor_of_constant_stays():
    settings = AdamSettings(decay="constant", warmup_steps=2)
    assert [settings.lr_factor(step, 10) for step in (1, 2, 9)] == [1.0, 1.0, 1.0]


def test_adam_settings_build_torchs_adam_with_the_lrs_of_the_formula():
    settings = AdamSettings(lr=0.1, warmup_steps=2)
    ours, theirs = (torch.nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    module = torch.nn.Module()
    module.weight = ours
    optimizer, scheduler = settings.build(module, lambda: 6)
    reference = torch.optim.Adam([theirs], lr=0.1)
    for step in range(6):
        reference.param_groups[0]["lr"] = 0.1 * settings.lr_factor(step, 6)
        for parameter, stepper in ((ours, optimizer), (theirs, reference)):
            stepper.zero_grad()
            parameter.pow(4).sum().backward()
            stepper.step()
        scheduler.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decay": "step"}, "optimizer.decay must be cosine or constant"),
        ({"lr": 0.0}, "optimizer.lr must be above 0"),
        ({"lr": float("nan")}, "optimizer.lr must be a finite number"),
        ({"betas": (0.9, 1.0)}, "optimizer.betas must be at least 0 and below 1"),
        ({"lr": 0.1, "weight_decay": 10.0}, "optimizer.weight_decay must be at least 0 and below 10"),
        ({"warmup_steps": -1}, "optimizer.warmup_steps"),
        ({"final_lr_share": 2.0}, "optimizer.final_lr_share"),
        ({"matrix_lr": 0.0}, "optimizer.matrix_lr must be above 0 and at most 100 or null"),
    ],
)
def test_adam_settings_name_the_key_of_a_bad_value(changes: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        AdamSettings(**changes)  # type: ignore[arg-type]
