"""Sampling by inverse CDF against a plain loop, and what temperature, top-k and top-p promise."""

import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.core.token_choice import TokenLogits

ROWS, V = 400, 12
LOGITS = torch.randn(ROWS, V + 1, generator=torch.Generator().manual_seed(0)) * 2
UNIFORM = torch.rand(ROWS, generator=torch.Generator().manual_seed(1))


def plain(logits, u, *, temperature, top_k, top_p):
    """Sample one token in float64."""
    p = (logits[:V].double() / temperature).softmax(-1).tolist()
    codes = list(range(V))
    if 0 < top_k <= V or top_p < 1:
        codes.sort(key=lambda code: -p[code])
        codes = codes[: top_k or V]
    kept, reached, total = [], 0.0, sum(p[code] for code in codes)
    for code in codes:
        if reached < top_p * total:
            kept.append(code)
        reached += p[code]
    wanted, reached = u * sum(p[code] for code in kept), 0.0
    for code in kept:
        reached += p[code]
        if reached > wanted:
            return code
    raise AssertionError


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("top_k", [0, 1, 5, 99])
@pytest.mark.parametrize("top_p", [1.0, 0.7, 1e-9])
def test_sampled_equals_the_plain_loop(temperature, top_k, top_p):
    rows = TokenLogits.of(LOGITS, V, temperature)
    found = rows.sampled(UNIFORM, top_k=top_k, top_p=top_p).tolist()
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    assert found == [plain(LOGITS[i], float(UNIFORM[i]), **settings) for i in range(ROWS)]


@pytest.mark.parametrize("limit", [{"top_k": 1}, {"top_p": 1e-6}])
def test_sampled_among_one_code_is_the_most_likely(limit):
    rows = TokenLogits.of(LOGITS, V, 1.0)
    assert torch.equal(rows.sampled(UNIFORM, **limit), rows.most_likely()[0])


@pytest.mark.parametrize("u", [1e-9, 1 - 2**-24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_sampled_takes_only_codes_with_probability_at_both_ends(u, dtype):
    logits = LOGITS.to(dtype)
    logits[:, [0, 1, V - 1]] = -torch.inf
    logits[:, V] = 50.0
    tokens = TokenLogits.of(logits, V, 1.0).sampled(torch.full((ROWS,), u))
    assert not set(tokens.tolist()) & {0, 1, V - 1, V}


def test_sampled_tokens_are_as_frequent_as_likely():
    row, many = LOGITS[:1].expand(20_000, -1), torch.rand(20_000, generator=torch.Generator().manual_seed(2))
    counts = TokenLogits.of(row, V, 1.5).sampled(many).bincount(minlength=V) / 20_000
    torch.testing.assert_close(counts[:V], (LOGITS[0, :V] / 1.5).softmax(-1), atol=0.012, rtol=0)


def test_log_p_of_is_that_of_the_tempered_distribution_without_the_mask_token():
    rows, tokens = TokenLogits.of(LOGITS, V, 0.5), torch.arange(ROWS) % V
    expected = (LOGITS[:, :V] / 0.5).log_softmax(-1)[torch.arange(ROWS), tokens]
    torch.testing.assert_close(rows.log_p_of(tokens), expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [("token_temperature", -1.0), ("token_temperature", float("nan")), ("top_k", -1), ("top_k", 1.5), ("top_p", 0.0), ("top_p", 2)],
)
def test_decode_settings_refuse_sampling_that_means_nothing(key, value):
    with pytest.raises(ValueError, match=rf"decode\.{key} must be"):
        DecodeSettings(schedule=Cosine(), **{key: value})
