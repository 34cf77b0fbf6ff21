"""The adversarial part of a stage: what it asks of the images, and what it remembers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maskgit_lab.training.adversary import LECAM_DECAY, Adversary, AdversarySettings
from maskgit_lab.training.optim import AdamSettings


class Mean(nn.Module):
    """Judges by brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * images.mean((1, 2, 3))


def adversary(**settings: Any) -> Adversary:
    return Adversary(Mean(), AdversarySettings(**settings), seed=0)


def images(level: float) -> Tensor:
    return torch.full((2, 3, 8, 8), level)


def test_generator_term_with_a_fixed_weight_is_the_hinge_loss_times_it() -> None:
    made = images(0.5).requires_grad_()
    term, logged = adversary(gan_weight=0.1, gan_adaptive=False).generator_term(made.sum(), made, made, 0)
    torch.testing.assert_close(term, torch.tensor(-0.1))
    torch.testing.assert_close(logged["train/loss_gan"], torch.tensor(-1.0))


def test_generator_term_trains_no_discriminator() -> None:
    own, made = adversary(gan_adaptive=False), images(0.5).requires_grad_()
    own.generator_term(made.sum(), made, made, 0)[0].backward()
    assert made.grad is not None
    assert own.discriminator.scale.grad is None
    assert own.discriminator.scale.requires_grad


def test_discriminator_loss_adds_the_penalties_and_remembers_the_logits() -> None:
    real, made = images(0.25), images(-0.5)
    plain, _ = adversary().discriminator_loss(real, made, 0)
    torch.testing.assert_close(plain, torch.tensor(0.25))  # logits 0.5 and -1: half of (0.5 + 0)
    own = adversary(lecam_weight=0.5, r1_weight=3.0)
    loss, logged = own.discriminator_loss(real, made, 0)
    slope = 2.0 / 192  # of each of 192 pixels
    torch.testing.assert_close(logged["train/loss_r1"], torch.tensor(0.5 * 192 * slope**2))
    torch.testing.assert_close(loss, plain + 0.5 * (0.5**2 + 1**2) + 3 * logged["train/loss_r1"])
    torch.testing.assert_close(own.means, (1 - LECAM_DECAY) * torch.tensor([0.5, -1.0]))
    assert "means" in own.state_dict()


def test_discriminator_loss_sends_nothing_to_the_images() -> None:
    made = images(0.5).requires_grad_()
    adversary(r1_weight=1.0).discriminator_loss(images(0.0), made, 0)[0].backward()
    assert made.grad is None


def test_augmentation_differs_from_step_to_step_and_not_from_run_to_run() -> None:
    real, made = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)
    losses = [adversary(gan_augment=True).discriminator_loss(real, made, step)[0] for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(("gan_lr", "expected"), [(None, 1e-3), (1e-4, 1e-4)])
def test_optimizer_has_its_own_rate_and_no_muon(gan_lr: float | None, expected: float) -> None:
    optimizer, _ = adversary(gan_lr=gan_lr).optimizer(AdamSettings(lr=1e-3, matrix_lr=1e-2), 10)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == expected


def test_adversary_begins_at_its_step() -> None:
    assert [adversary(gan_start_step=2).active(step) for step in (0, 1, 2, 3)] == [False, False, True, True]
