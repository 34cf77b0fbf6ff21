"""The transformer against the written-out form, and what its shapes and counts must be."""

import math

import pytest
import torch

from maskgit_lab.core.positions import Positions
from maskgit_lab.models.projection import weights_fixed
from maskgit_lab.models.transformer import BidirectionalTransformer, SelfAttention

pytestmark = pytest.mark.processor

SMALL = {
    "num_image_tokens": 16, "num_codebook_vectors": 12, "dim": 32, "num_layers": 2, "num_heads": 4, "hidden_dim": 48,
    "dropout": 0.0,
}  # fmt: skip


def written_out_attention(attention, x):
    batch, num_tokens, dim = x.shape
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    heads = [part.view(batch, num_tokens, attention.num_heads, -1).transpose(1, 2) for part in (q, k, v)]
    weights = torch.softmax(heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(dim // attention.num_heads), dim=-1)
    return attention.out((weights @ heads[2]).transpose(1, 2).reshape(batch, num_tokens, dim))


def test_fused_attention_equals_the_written_out_softmax():
    torch.manual_seed(0)
    attention = SelfAttention(dim=48, num_heads=6, dropout=0.0)
    x = torch.randn(3, 20, 48)
    torch.testing.assert_close(attention(x), written_out_attention(attention, x), rtol=1e-5, atol=1e-6)


def test_logits_cover_the_codebook_and_the_mask_token():
    model = BidirectionalTransformer(**SMALL)
    assert model(torch.full((2, 16), model.mask_token_id)).shape == (2, 16, 13)


def test_every_position_sees_every_other():
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL).eval()
    tokens = torch.randint(12, (1, 16))
    changed = tokens.clone()
    changed[0, 15] = (tokens[0, 15] + 1) % 12
    difference = (model(tokens) - model(changed)).abs().amax(-1)[0]
    assert bool((difference > 0).all())


@pytest.mark.parametrize("norm_first", [False, True])
def test_context_is_added_to_the_embeddings(norm_first):
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first).eval()
    tokens = torch.randint(12, (2, 16))
    torch.testing.assert_close(model(tokens, torch.zeros(2, 16, 32)), model(tokens))
    assert not torch.allclose(model(tokens, torch.randn(2, 16, 32)), model(tokens))


def test_base_size_has_the_labs_parameter_count():
    with torch.device("meta"):
        model = BidirectionalTransformer(
            num_image_tokens=256, num_codebook_vectors=1024, dim=768, num_layers=15, num_heads=16, hidden_dim=1536,
            dropout=0.1,
        )  # fmt: skip
    # 72.7 M with the lab's separate projections, each with bias (DESIGN, stage 2)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(72.7e6, rel=1e-3)


def test_dim_that_does_not_divide_into_heads_is_refused_by_its_keys():
    with pytest.raises(ValueError, match=r"model\.dim \(30\).*model\.num_heads \(4\)"):
        BidirectionalTransformer(**{**SMALL, "dim": 30})


BATCH = 12


def some_positions():
    """Return 75 positions, which are filled up to 76, in all images but one."""
    mask = torch.zeros(BATCH - 1, 16, dtype=torch.bool)
    mask.view(-1)[torch.randperm(mask.numel())[:75]] = True
    mask = torch.cat([mask[:1], torch.zeros(1, 16, dtype=torch.bool), mask[1:]])
    return mask, Positions.of(mask, mask.sum(1).tolist())


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("context", [False, True])
def test_logits_at_some_positions_equal_those_of_the_whole_grid(norm_first, context):
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first).eval()
    tokens, extra = torch.randint(13, (BATCH, 16)), torch.randn(BATCH, 16, 32) if context else None
    mask, positions = some_positions()
    torch.testing.assert_close(model(tokens, extra, positions), model(tokens, extra)[mask], rtol=1e-5, atol=1e-5)


def test_gradients_at_some_positions_equal_those_of_the_whole_grid():
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL)
    tokens = torch.randint(13, (BATCH, 16))
    mask, positions = some_positions()
    gradients = []
    for logits in (model(tokens, None, positions), model(tokens)[mask]):
        model.zero_grad()
        logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for ours, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm_first", [False, True])
def test_refreshing_everything_is_a_whole_pass(norm_first):
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first).eval()
    before, after, extra = *torch.randint(13, (2, BATCH, 16)), torch.randn(BATCH, 16, 32)
    mask, wanted = some_positions()
    everything = Positions.of(torch.ones_like(mask), [16] * BATCH)
    with torch.no_grad():
        logits, memory = model.remembering(before, extra, wanted)
        torch.testing.assert_close(logits, model(before, extra)[mask], rtol=1e-5, atol=1e-5)
        refreshed = model.refresh(after, extra, memory, everything, wanted)
        torch.testing.assert_close(refreshed, model(after, extra)[mask], rtol=1e-5, atol=1e-5)


def test_refreshing_what_changed_is_exact_in_one_block_and_close_in_more():
    torch.manual_seed(0)
    for layers, tolerance in ((1, 1e-5), (2, 0.5)):
        model = BidirectionalTransformer(**{**SMALL, "num_layers": layers}).eval()
        before, (mask, changed) = torch.randint(13, (BATCH, 16)), some_positions()
        after = torch.where(mask, (before + 1) % 13, before)
        with torch.no_grad():
            _, memory = model.remembering(before, None, changed)
            refreshed = model.refresh(after, None, memory, changed, changed)
            exact = model(after)[mask]
        assert float((refreshed - exact).norm() / exact.norm()) < tolerance


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the tracer's own look
def test_compiled_blocks_are_whole_graphs_with_the_same_results_and_names():
    """Traced, not compiled to machine code, which needs a C++ compiler: what matters to checkpoints and to decoding."""
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL).eval()
    tokens, (mask, positions) = torch.randint(13, (BATCH, 16)), some_positions()
    names, expected = list(model.state_dict()), model(tokens)
    model.compile_blocks(backend="eager", fullgraph=True)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(tokens), expected)
    with torch.no_grad(), weights_fixed():
        torch.testing.assert_close(model(tokens, positions=positions), expected[mask])
    torch._dynamo.reset()


def test_gradients_are_the_same_bit_for_bit_whenever_they_are_computed():
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
            model(tokens, positions=positions).logsumexp(1).sum().backward()
            gradients.append([p.grad.clone() for p in model.parameters()])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(x, y) for other in gradients[1:] for x, y in zip(gradients[0], other, strict=True))
