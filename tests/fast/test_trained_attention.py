"""Attention with dropout in float32 on a CPU: forward and backward pass against float64 with the same weights dropped."""

import pytest
import torch
from torch import Tensor

from maskgit_lab.fast import trained_attention
from maskgit_lab.fast.trained_attention import DroppedAttention, gains_in

pytestmark = pytest.mark.processor

P = 0.25
BATCH, HEADS, N, WIDTH = 2, 3, 256, 8  # as many positions as a grid has: short rows take another path through torch


def parts(queries: int) -> list[Tensor]:
    """Return q, k, v as they come from a projection: (B, heads, ..., d) that lie in memory position by position."""
    g = torch.Generator().manual_seed(0)
    made = [torch.randn(BATCH, rows, HEADS, WIDTH, generator=g) for rows in (queries, N, N)]
    return [part.transpose(1, 2).requires_grad_() for part in made]


def dropped(q: Tensor, k: Tensor, v: Tensor, bits: Tensor) -> Tensor:
    """Return the same by torch's autograd; `bits` say what is kept."""
    weights = torch.softmax(q @ k.mT / WIDTH**0.5, -1)
    return ((weights * -bits.view(weights.shape).to(q.dtype) / (1 - P)) @ v).transpose(1, 2)


@pytest.mark.parametrize("heads_at_once", [1, 4, 6])
@pytest.mark.parametrize("queries", [N, 5, 1])
def test_dropped_attention_has_the_values_and_gradients_of_float64(
    queries: int, heads_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[Tensor] = []
    keep_bits = trained_attention.keep_bits

    def draw(shape: tuple[int, ...], p: float) -> Tensor:
        drawn.append(keep_bits(shape, p))
        return drawn[-1]

    monkeypatch.setattr(trained_attention, "keep_bits", draw)
    monkeypatch.setattr(trained_attention, "CHUNK_WEIGHTS", heads_at_once * queries * N)
    torch.manual_seed(1)
    ours = parts(queries)
    exact = [part.detach().double().requires_grad_() for part in ours]
    q, k, v = exact
    mixed = DroppedAttention.apply(*ours, P)
    expected = dropped(q, k, v, drawn[0])
    assert drawn[0].unique().tolist() == [-1, 0]
    torch.testing.assert_close(mixed.double(), expected, rtol=1e-5, atol=1e-5)
    gradient = torch.randn(mixed.shape)
    mixed.backward(gradient)
    expected.backward(gradient.double())
    for our, their in zip(ours, exact, strict=True):
        assert our.grad is not None
        assert their.grad is not None
        torch.testing.assert_close(our.grad.double(), their.grad, rtol=1e-5, atol=1e-5)


def test_dropped_attention_of_no_queries_is_empty():
    mixed = DroppedAttention.apply(*parts(0), P)
    mixed.sum().backward()
    assert mixed.shape == (BATCH, 0, HEADS, WIDTH)


def test_gains_in_float32_on_a_cpu_with_dropout_only(monkeypatch: pytest.MonkeyPatch):
    x = torch.zeros(1)
    assert gains_in(x, P)
    assert not gains_in(x, 0.0)
    assert not gains_in(x.bfloat16(), P)
    assert not gains_in(x.double(), P)
    assert not gains_in(x.to("meta"), P)
    with torch.autocast("cpu", torch.bfloat16):
        assert not gains_in(x, P)
    monkeypatch.delattr(torch, "_softmax_backward_data")
    assert not gains_in(x, P)
