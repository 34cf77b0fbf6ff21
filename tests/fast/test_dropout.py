"""Dropout on a CPU: its share, its independence, its generator."""

import pytest
import torch
from torch import Tensor, nn

from maskgit_lab.fast import dropout
from maskgit_lab.fast.dropout import drop, keep_bits

pytestmark = pytest.mark.processor

DTYPES = [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64])  # the last by torch's own
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_drop_drops_its_share_and_scales_the_rest_in_both_directions(p: float, dtype: torch.dtype):
    torch.manual_seed(0)
    x = torch.ones(400, 251, dtype=dtype, requires_grad=True)
    y = drop(x, p)
    assert float((y == 0).float().mean()) == pytest.approx(p, abs=0.005)
    assert set(y.detach().unique().tolist()) == {0.0, float(torch.tensor(1 / (1 - p), dtype=dtype))}
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("dtype", DTYPES)
def test_drop_keeps_value_and_sign_of_what_it_keeps(dtype: torch.dtype):
    x = torch.randn(1000).to(dtype)
    y = drop(x, 0.5)
    assert torch.equal(y[y != 0], (2 * x)[y != 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_drop_draws_anew_each_time_from_torchs_generator(dtype: torch.dtype):
    x = torch.ones(64, dtype=dtype)
    torch.manual_seed(3)
    first, second = drop(x, 0.5), drop(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(drop(x, 0.5), first)
    assert not torch.equal(first, second)


def shares_together(kept: Tensor) -> Tensor:
    """Return how often columns are dropped together, (n, n)."""
    dropped = (kept == 0).float()
    return (dropped.T @ dropped) / len(dropped)


def test_drop_drops_elements_of_one_draw_and_of_neighbours_independently():
    torch.manual_seed(0)
    together = shares_together(drop(torch.ones(80_000, dtype=torch.bfloat16), 0.5).view(-1, 8))
    assert torch.allclose(together, torch.full((8, 8), 0.25) + torch.eye(8) / 4, atol=0.02)


def test_keep_bits_are_independent_from_block_to_block(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dropout, "_BLOCK", 10_000)
    torch.manual_seed(0)
    bits = keep_bits((4, 10_000), 0.5)
    assert set(bits.unique().tolist()) == {-1, 0}
    together = shares_together(bits.T)
    assert torch.allclose(together, torch.full((4, 4), 0.25) + torch.eye(4) / 4, atol=0.02)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_keep_bits_of_any_number_of_elements(count: int):
    assert keep_bits((count,), 0.0).tolist() == [-1] * count


def test_dropout_drops_nothing_outside_training():
    x = torch.randn(8).bfloat16()
    assert torch.equal(dropout.dropout(nn.Dropout(0.5).eval(), x), x)
    assert torch.equal(dropout.dropout(nn.Dropout(0.0), x), x)
