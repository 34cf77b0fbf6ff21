"""The transformer at some positions against the whole grid, and what it remembers of other steps."""

from typing import Any

import pytest
import torch

from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.projection import weights_fixed
from maskgit_lab.fast.transformer import FastTransformer
from maskgit_lab.models.transformer import BidirectionalTransformer

pytestmark = pytest.mark.processor

SMALL: dict[str, Any] = {
    "num_image_tokens": 16, "num_codebook_vectors": 12, "dim": 32, "num_layers": 2, "num_heads": 4, "hidden_dim": 48,
    "dropout": 0.0,
}  # fmt: skip
BATCH = 12


def some_positions():
    """Return 75 positions in all images but one."""
    mask = torch.zeros(BATCH - 1, 16, dtype=torch.bool)
    mask.view(-1)[torch.randperm(mask.numel())[:75]] = True
    mask = torch.cat([mask[:1], torch.zeros(1, 16, dtype=torch.bool), mask[1:]])
    return mask, Positions.of(mask, mask.sum(1).tolist())


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("context", [None, "in the sum", "normalised"])
def test_logits_at_some_positions_equal_those_of_the_whole_grid(norm_first, context):
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first, context_norm=context == "normalised").eval()
    tokens, extra = torch.randint(13, (BATCH, 16)), torch.randn(BATCH, 16, 32) if context else None
    mask, positions = some_positions()
    logits = FastTransformer(model).logits(tokens, extra, positions)
    torch.testing.assert_close(logits, model(tokens, extra)[mask], rtol=1e-5, atol=1e-5)


def test_logits_at_some_positions_have_the_gradients_of_the_whole_grid():
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL)
    tokens = torch.randint(13, (BATCH, 16))
    mask, positions = some_positions()
    gradients = []
    for logits in (FastTransformer(model).logits(tokens, None, positions), model(tokens)[mask]):
        model.zero_grad()
        logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for ours, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("context_norm", [False, True])
def test_refresh_of_everything_is_a_whole_pass(norm_first, context_norm):
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first, context_norm=context_norm).eval()
    fast = FastTransformer(model)
    before, after, extra = *torch.randint(13, (2, BATCH, 16)), torch.randn(BATCH, 16, 32)
    mask, wanted = some_positions()
    everything = Positions.of(torch.ones_like(mask), [16] * BATCH)
    with torch.no_grad():
        logits, memory = fast.remembering(before, extra, wanted)
        torch.testing.assert_close(logits, model(before, extra)[mask], rtol=1e-5, atol=1e-5)
        refreshed = fast.refresh(after, extra, memory, everything, wanted)
        torch.testing.assert_close(refreshed, model(after, extra)[mask], rtol=1e-5, atol=1e-5)


def test_refresh_of_what_changed_is_exact_in_one_block_and_close_in_more():
    torch.manual_seed(0)
    for layers, tolerance in ((1, 1e-5), (2, 0.5)):
        model = BidirectionalTransformer(**{**SMALL, "num_layers": layers}).eval()
        fast = FastTransformer(model)
        before, (mask, changed) = torch.randint(13, (BATCH, 16)), some_positions()
        after = torch.where(mask, (before + 1) % 13, before)
        with torch.no_grad():
            _, memory = fast.remembering(before, None, changed)
            refreshed = fast.refresh(after, None, memory, changed, changed)
            exact = model(after)[mask]
        assert float((refreshed - exact).norm() / exact.norm()) < tolerance


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the tracer's own look
def test_fast_transformer_calls_compiled_blocks_as_they_are():
    """Traced, not compiled to machine code, which needs a C++ compiler: what matters to decoding."""
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL).eval()
    tokens, (mask, positions) = torch.randint(13, (BATCH, 16)), some_positions()
    expected = model(tokens)[mask]
    model.compile_blocks(backend="eager", fullgraph=True)
    fast = FastTransformer(model)
    torch.testing.assert_close(fast.logits(tokens, None, positions), expected)
    with torch.no_grad(), weights_fixed():
        torch.testing.assert_close(fast.logits(tokens, None, positions), expected)
    torch._dynamo.reset()


def test_logits_have_the_same_gradients_bit_for_bit_each_time():
    """On several threads: adding up the gradients of one position's bias must not depend on who comes first."""
    torch.manual_seed(0)
    sizes = {"num_image_tokens": 256, "num_codebook_vectors": 512, "num_layers": 1, "dim": 8, "num_heads": 1}
    model = BidirectionalTransformer(**{**SMALL, **sizes})
    tokens, mask = torch.randint(513, (6, 256)), torch.rand(6, 256) < 0.9
    positions, gradients = Positions.of(mask, mask.sum(1).tolist()), []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(20):
            model.zero_grad()
            FastTransformer(model).logits(tokens, None, positions).logsumexp(1).sum().backward()
            gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(x, y) for other in gradients[1:] for x, y in zip(gradients[0], other, strict=True))
