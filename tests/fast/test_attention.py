"""Attention of bfloat16 on a CPU: the same mathematics as torch's, gradients too."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast import attention
from maskgit_lab.fast.attention import attend

pytestmark = pytest.mark.processor


def parts(dtype: torch.dtype = torch.bfloat16, *, queries: int = 12) -> list[Tensor]:
    g = torch.Generator().manual_seed(0)
    shapes = [(2, 3, queries, 8), (2, 3, 12, 8), (2, 3, 12, 8)]
    return [torch.randn(shape, generator=g).to(dtype).requires_grad_() for shape in shapes]


def test_float32_is_torchs():
    q, k, v = parts(torch.float32)
    assert torch.equal(attend(q, k, v), F.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize("queries", [12, 5])
def test_bfloat16_equals_float32_to_its_rounding(queries: int):
    half = parts(queries=queries)
    exact = [part.detach().float().requires_grad_() for part in half]
    results = [attend(*half), F.scaled_dot_product_attention(*exact)]
    weight = torch.randn(results[1].shape)
    for result in results:
        (result.float() * weight).sum().backward()
    torch.testing.assert_close(results[0].float(), results[1], rtol=0.02, atol=0.02)
    for ours, theirs in zip(half, exact, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad.float(), theirs.grad, rtol=0.05, atol=0.05)


def test_without_gradients_the_result_is_the_same():
    with torch.no_grad():
        without = attend(*parts())
    assert torch.equal(without, attend(*parts()).detach())


def test_dropped_weights_are_dropped_in_the_backward_pass_too():
    # v = identity shows the weights; their gradient reaches v through exactly the kept ones
    q, k = (torch.randn(1, 1, 16, 16).bfloat16().requires_grad_() for _ in range(2))
    v = torch.eye(16)[None, None].bfloat16().requires_grad_()
    torch.manual_seed(0)
    weights = attend(q, k, v, dropout=0.5)
    weights.backward(torch.eye(16)[None, None].bfloat16())
    kept = (weights != 0).float()
    assert 0.3 < float(kept.mean()) < 0.7
    assert v.grad is not None
    torch.testing.assert_close(v.grad.mT, weights.detach())


def test_attention_dropout_keeps_the_mean():
    q, k, v = (part.detach() for part in parts())
    torch.manual_seed(0)
    mean = torch.stack([attend(q, k, v, dropout=0.3).float() for _ in range(600)]).mean(0)
    torch.testing.assert_close(mean, attend(q, k, v).float(), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("heads_at_once", [1, 4, 6])
def test_without_gradients_it_does_not_depend_on_how_many_heads_are_in_work(
    heads_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    with torch.no_grad():
        q, k, v = parts(queries=5)
        whole = attend(q, k, v)
        monkeypatch.setattr(attention, "CHUNK_WEIGHTS", heads_at_once * 5 * 12)
        assert torch.equal(attend(q, k, v), whole)
