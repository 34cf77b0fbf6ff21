"""The transformer against the written-out form, and what its shapes and counts must be."""

import math
from typing import Any

import pytest
import torch

from maskgit_lab.models.transformer import BidirectionalTransformer, SelfAttention

pytestmark = pytest.mark.processor

SMALL: dict[str, Any] = {
    "num_image_tokens": 16, "num_codebook_vectors": 12, "dim": 32, "num_layers": 2, "num_heads": 4, "hidden_dim": 48,
    "dropout": 0.0,
}  # fmt: skip


def written_out_attention(attention, x):
    batch, num_tokens, dim = x.shape
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    heads = [part.view(batch, num_tokens, attention.num_heads, -1).transpose(1, 2) for part in (q, k, v)]
    weights = torch.softmax(heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(dim // attention.num_heads), dim=-1)
    return attention.out((weights @ heads[2]).transpose(1, 2).reshape(batch, num_tokens, dim))


def test_self_attention_equals_the_written_out_softmax():
    torch.manual_seed(0)
    attention = SelfAttention(dim=48, num_heads=6, dropout=0.0)
    x = torch.randn(3, 20, 48)
    torch.testing.assert_close(attention(x), written_out_attention(attention, x), rtol=1e-5, atol=1e-6)


def test_transformer_logits_cover_the_codebook_and_the_mask_token():
    model = BidirectionalTransformer(**SMALL)
    assert model(torch.full((2, 16), model.mask_token_id)).shape == (2, 16, 13)


def test_transformer_lets_every_position_see_every_other():
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL).eval()
    tokens = torch.randint(12, (1, 16))
    changed = tokens.clone()
    changed[0, 15] = (tokens[0, 15] + 1) % 12
    difference = (model(tokens) - model(changed)).abs().amax(-1)[0]
    assert bool((difference > 0).all())


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_adds_context_to_the_embeddings(norm_first):
    model = BidirectionalTransformer(**SMALL, norm_first=norm_first).eval()
    tokens = torch.randint(12, (2, 16))
    torch.testing.assert_close(model(tokens, torch.zeros(2, 16, 32)), model(tokens))
    assert not torch.allclose(model(tokens, torch.randn(2, 16, 32)), model(tokens))


def test_transformer_hears_the_tokens_beside_a_context_of_any_size():
    """A context is not bounded: in training on photographs it grew to 1,600 times the embeddings, and no token had a say."""
    said = {}
    for context_norm in (False, True):
        torch.manual_seed(0)
        model = BidirectionalTransformer(**SMALL, norm_first=True, context_norm=context_norm).eval()
        tokens, context = torch.randint(12, (2, 2, 16)), torch.randn(2, 16, 32)
        large = 1600 * model.token_embedding.weight.std() * context
        with torch.no_grad():
            first, second = (model(shown, large) for shown in tokens)
            alone = (model(tokens[0]) - model(tokens[1])).abs().mean()
            larger = model(tokens[0], 1000 * large)
        said[context_norm] = float((first - second).abs().mean() / alone)
        if context_norm:
            torch.testing.assert_close(larger, first, rtol=1e-3, atol=1e-4)
    assert said[True] > 0.3
    assert said[False] < 0.05


def test_transformer_of_base_size_has_the_labs_parameter_count():
    with torch.device("meta"):
        model = BidirectionalTransformer(
            num_image_tokens=256, num_codebook_vectors=1024, dim=768, num_layers=15, num_heads=16, hidden_dim=1536,
            dropout=0.1,
        )  # fmt: skip
    # 72.7 M with the lab's separate projections, each with bias (DESIGN, stage 2)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(72.7e6, rel=1e-3)


def test_transformer_refuses_a_dim_that_does_not_divide_into_heads_by_its_keys():
    with pytest.raises(ValueError, match=r"model\.dim \(30\).*model\.num_heads \(4\)"):
        BidirectionalTransformer(**{**SMALL, "dim": 30})


@pytest.mark.parametrize("dropout", [1.0, -0.1])
def test_transformer_refuses_a_share_that_cannot_be_dropped_by_its_key(dropout):
    with pytest.raises(ValueError, match=rf"model\.dropout must be in \[0, 1\), got {dropout}"):
        BidirectionalTransformer(**{**SMALL, "dropout": dropout})


def test_transformer_keys_are_those_of_checkpoints():
    keys = {name.replace("blocks.0.", "") for name in BidirectionalTransformer(**SMALL).state_dict()}
    assert {"attention.qkv.weight", "attention.out.bias", "mlp.0.weight", "mlp.2.bias", "norm1.weight"} <= keys
    assert {"head.0.weight", "head.2.bias", "token_embedding.weight", "position_embedding", "bias"} <= keys


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the tracer's own look
def test_compile_blocks_makes_whole_graphs_with_the_same_results_and_names():
    """Traced, not compiled to machine code, which needs a C++ compiler: what matters to checkpoints."""
    torch.manual_seed(0)
    model = BidirectionalTransformer(**SMALL).eval()
    tokens = torch.randint(13, (12, 16))
    names, expected = list(model.state_dict()), model(tokens)
    model.compile_blocks(backend="eager", fullgraph=True)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(tokens), expected)
    torch._dynamo.reset()
