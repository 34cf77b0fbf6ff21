"""Dropout of attention weights in bfloat16 on a CPU: its share, its independence, its generator."""

import pytest
import torch
from torch import Tensor

from maskgit_lab.fast import dropout
from maskgit_lab.fast.dropout import drop, keep_bits

pytestmark = pytest.mark.processor


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_it_drops_its_share_and_scales_the_rest_in_both_directions(p: float):
    torch.manual_seed(0)
    x = torch.ones(400, 251, dtype=torch.bfloat16, requires_grad=True)
    y = drop(x, p)
    assert float((y == 0).float().mean()) == pytest.approx(p, abs=0.005)
    assert set(y.detach().unique().tolist()) == {0.0, float(torch.tensor(1 / (1 - p), dtype=torch.bfloat16))}
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


def test_what_is_kept_keeps_its_value_and_sign():
    x = torch.randn(1000).bfloat16()
    y = drop(x, 0.5)
    assert torch.equal(y[y != 0], (2 * x)[y != 0])


def test_draws_come_from_torchs_generator_and_are_new_each_time():
    x = torch.ones(64, dtype=torch.bfloat16)
    torch.manual_seed(3)
    first, second = drop(x, 0.5), drop(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(drop(x, 0.5), first)
    assert not torch.equal(first, second)


def shares_together(kept: Tensor) -> Tensor:
    """Return how often columns are dropped together, (n, n)."""
    dropped = (kept == 0).float()
    return (dropped.T @ dropped) / len(dropped)


def test_elements_of_one_draw_and_of_neighbouring_draws_are_dropped_independently():
    torch.manual_seed(0)
    together = shares_together(drop(torch.ones(80_000, dtype=torch.bfloat16), 0.5).view(-1, 8))
    assert torch.allclose(together, torch.full((8, 8), 0.25) + torch.eye(8) / 4, atol=0.02)


def test_blocks_are_dropped_independently(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dropout, "_BLOCK", 10_000)
    torch.manual_seed(0)
    bits = keep_bits((4, 10_000), 0.5)
    assert set(bits.unique().tolist()) == {-1, 0}
    together = shares_together(bits.T)
    assert torch.allclose(together, torch.full((4, 4), 0.25) + torch.eye(4) / 4, atol=0.02)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_any_number_of_elements(count: int):
    assert keep_bits((count,), 0.0).tolist() == [-1] * count
