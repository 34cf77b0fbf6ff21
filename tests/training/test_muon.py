"""Muon: steps of equal singular values for weight matrices, Adam for the rest, against the rule written out in float64."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.training.muon import Muon, orthogonal, weight_matrices
from maskgit_lab.training.optim import AdamSettings
from tests.support.builders import model

pytestmark = pytest.mark.processor

SHAPES = [(16, 16), (16, 144), (144, 16), (48, 20), (96, 864)]


def newton_schulz(matrix: torch.Tensor) -> torch.Tensor:
    """Apply the quintic five times, as Jordan et al. write it, in float64."""
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 20, 3), nn.GroupNorm(1, 20), nn.Flatten(), nn.Linear(20, 16))


def optimizer(module: nn.Module, **changes: float) -> Muon:
    settings: dict[str, Any] = {"lr": 0.01, "matrix_lr": 0.03, "betas": (0.9, 0.99), "weight_decay": 0.0}
    return Muon(module, **{**settings, **changes})


def backward(module: nn.Module, seed: int) -> None:
    module.zero_grad()
    x = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    module(x).pow(2).sum().backward()


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_equals_the_iteration_written_out(shape: tuple[int, int]):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonal(matrix).double(), newton_schulz(matrix), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e6])
def test_orthogonal_makes_singular_values_alike_whatever_the_size(shape: tuple[int, int], size: float):
    matrix = size * torch.randn(shape, generator=torch.Generator().manual_seed(2))
    values = torch.linalg.svdvals(orthogonal(matrix))
    if shape[0] != shape[1]:  # a square one may have singular values near zero, which take more rounds
        assert values.min() > 0.6
    assert values.max() < 1.3


def test_orthogonal_is_the_same_under_autocast():
    # as manual optimisation calls it; products in bf16 made singular values of 8 of this one, and stage 1 diverged
    matrix = torch.randn(128, 128, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.logspace(0, -3, 128))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = orthogonal(matrix)
    assert made.dtype == torch.float32
    assert torch.equal(made, orthogonal(matrix))
    assert torch.linalg.svdvals(made).max() < 1.3


def test_orthogonal_of_nothing_is_nothing():
    assert torch.equal(orthogonal(torch.zeros(16, 32)), torch.zeros(16, 32))


def test_weight_matrices_are_the_maps_between_wide_layers():
    assert [tuple(w.shape) for w in weight_matrices(network())] == [(16, 3, 3, 3), (20, 16, 3, 3), (16, 20)]
    whole = model()
    tables = {id(whole.transformer.token_embedding.weight), id(whole.transformer.position_embedding)}
    assert not tables & {id(w) for w in weight_matrices(whole)}
    thin = PatchVQGAN(channels=16, num_blocks=1, latent_dim=8, img_resolution=16, num_codebook_vectors=32, beta=0.25)
    assert thin.codebook.embedding.weight not in set(weight_matrices(thin))
    assert thin.last_layer not in set(weight_matrices(thin))  # to three colours


def test_muon_step_is_the_rule_written_out():
    module = network()
    before = [w.detach().double().clone() for w in weight_matrices(module)]
    stepper, buffers = optimizer(module, weight_decay=0.1), [torch.zeros_like(w) for w in before]
    for seed in range(3):
        backward(module, seed)
        for i, weight in enumerate(weight_matrices(module)):
            assert weight.grad is not None
            gradient = weight.grad.double()
            buffers[i] = 0.95 * buffers[i] + 0.05 * gradient
            direction = (0.05 * gradient + 0.95 * buffers[i]).flatten(1)
            step = newton_schulz(direction) if len(direction) <= direction.shape[1] else newton_schulz(direction.mT).mT
            scale = 0.03 * 0.2 * max(direction.shape) ** 0.5
            before[i] = before[i] * (1 - 0.03 * 0.1) - scale * step.view(weight.shape)
        stepper.step()
        for weight, expected in zip(weight_matrices(module), before, strict=True):
            torch.testing.assert_close(weight.double(), expected, rtol=0, atol=1e-4)
            with torch.no_grad():
                weight.copy_(expected)


def test_muon_takes_adams_step_for_what_is_no_matrix():
    module, reference = network(), network()
    matrices = {id(w) for w in weight_matrices(module)}
    ours, theirs = (optimizer(module), torch.optim.AdamW(reference.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.0))
    for seed in range(3):
        backward(module, seed)
        for p, q in zip(module.parameters(), reference.parameters(), strict=True):
            assert p.grad is not None
            q.grad = p.grad.clone()
        ours.step()
        theirs.step()
        for p, q in zip(module.parameters(), reference.parameters(), strict=True):
            if id(p) not in matrices:
                torch.testing.assert_close(p, q)


def test_muon_that_is_restored_goes_on_as_if_it_had_not_stopped():
    module = network()
    stepper = optimizer(module)
    backward(module, 0)
    stepper.step()
    other = network()
    other.load_state_dict(module.state_dict())
    resumed = optimizer(other)
    resumed.load_state_dict(copy.deepcopy(stepper.state_dict()))
    for both in ((module, stepper), (other, resumed)):
        backward(both[0], 1)
        both[1].step()
    for p, q in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_adam_settings_let_both_learning_rates_of_muon_follow_the_schedule():
    stepper, schedule = AdamSettings(lr=0.1, matrix_lr=0.3, warmup_steps=2).build(network(), lambda: 4)
    seen = []
    for _ in range(3):
        seen.append([group["lr"] for group in stepper.param_groups])
        stepper.step()
        schedule.step()
    assert [matrix / other for matrix, other in seen] == pytest.approx([3.0] * 3)
    assert [other for _, other in seen] == pytest.approx([0.05, 0.1, 0.1])


def test_muon_keeps_parameters_without_gradient():
    module = network()
    before = copy.deepcopy(module.state_dict())
    optimizer(module).step()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
