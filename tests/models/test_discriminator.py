"""PatchGAN and its losses."""

import pytest
import torch

from maskgit_lab.models.discriminator import (
    PatchDiscriminator,
    adaptive_weight,
    discriminator_hinge_loss,
    generator_hinge_loss,
    gradient_penalty,
    lecam_penalty,
)


def test_patch_discriminator_gives_one_logit_per_patch() -> None:
    assert PatchDiscriminator(num_filters=8, num_layers=3)(torch.randn(2, 3, 64, 64)).shape == (2, 1, 6, 6)


@pytest.mark.parametrize(("normalisation", "apart"), [("group", True), ("batch", False)])
def test_patch_discriminator_with_groups_judges_an_image_apart_from_its_batch(normalisation: str, apart: bool) -> None:
    torch.manual_seed(0)
    network, images = PatchDiscriminator(num_filters=8, num_layers=2, normalisation=normalisation), torch.randn(3, 3, 32, 32)
    assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5) is apart


def test_patch_discriminator_refuses_another_normalisation() -> None:
    with pytest.raises(ValueError, match=r"discriminator\.normalisation must be one of batch, group, got 'layer'"):
        PatchDiscriminator(normalisation="layer")


def test_lecam_penalty_is_the_distance_from_the_other_kinds_mean() -> None:
    real, made = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])
    penalty = lecam_penalty(real, made, mean_real=torch.tensor(2.0), mean_fake=torch.tensor(-1.0))
    assert penalty == (2**2 + 4**2) / 2 + (3**2 + 2**2) / 2


def test_gradient_penalty_of_a_linear_judge_is_half_its_squared_weights() -> None:
    images = torch.randn(4, 1, 2, 2, requires_grad=True)
    slope = torch.tensor([[[1.0, -2.0], [0.5, 3.0]]])
    torch.testing.assert_close(gradient_penalty((images * slope).sum((1, 2, 3)), images), 0.5 * slope.square().sum())


def test_discriminator_hinge_loss_is_zero_once_the_margin_is_kept() -> None:
    assert discriminator_hinge_loss(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -2.0])) == 0
    assert discriminator_hinge_loss(torch.zeros(4), torch.zeros(4)) == 1


def test_generator_hinge_loss_falls_when_logits_rise() -> None:
    assert generator_hinge_loss(torch.ones(3)) < generator_hinge_loss(-torch.ones(3))


@pytest.mark.parametrize("strength", [0.01, 1.0, 50.0])
def test_adaptive_weight_makes_both_pulls_equal(strength: float) -> None:
    layer = torch.tensor([1.0, 2.0], requires_grad=True)
    reconstruction, gan = 3 * layer.square().sum(), strength * (layer * torch.tensor([2.0, -1.0])).sum()
    weight = adaptive_weight(reconstruction, gan, layer, scale=0.8)
    (rec_grad,) = torch.autograd.grad(reconstruction, layer, retain_graph=True)
    (gan_grad,) = torch.autograd.grad(weight * gan, layer)
    # the 1e-4 in the denominator shows where the adversarial gradient is small
    torch.testing.assert_close(gan_grad.norm(), 0.8 * rec_grad.norm(), rtol=0.01, atol=0)


def test_adaptive_weight_is_bounded_where_the_gan_has_no_gradient() -> None:
    layer = torch.ones(2, requires_grad=True)
    assert adaptive_weight(1e6 * layer.sum(), 0 * layer.sum(), layer, scale=0.8) == 0.8 * 1e4
