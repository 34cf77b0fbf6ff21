"""Decoding against the plain loops of the protocol, and the properties every policy must hold."""

import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings, decode, hidden_counts, predictor_of
from maskgit_lab.core.randomness import generator, image_generators
from maskgit_lab.core.schedules import Arccos, Cosine, Linear, Square
from maskgit_lab.core.token_choice import TokenLogits
from tests.support.oracle import decode_one, decode_with

pytestmark = pytest.mark.processor

N, V = 24, 11
EMBEDDING = torch.randn(V + 1, 16, generator=torch.Generator().manual_seed(0))
MIXING = torch.randn(N, N, generator=torch.Generator().manual_seed(1)) / N**0.5
READOUT = torch.randn(16, V + 1, generator=torch.Generator().manual_seed(2))


def predict(tokens):
    """Predict from all visible tokens, so that an early choice changes later ones."""
    return (torch.tanh(MIXING @ EMBEDDING[tokens]) @ READOUT) * 1.5


def example(batch=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randint(V, (batch, N), generator=g)
    share = torch.linspace(0, 1, batch)[:, None]  # from no hole to a hole everywhere
    return tokens, torch.rand(batch, N, generator=g) < share


SETTINGS = {"num_steps": 7, "mask_token_id": V}


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), Square(), Arccos()], ids=repr)
@pytest.mark.parametrize("sweet_spot", [3, 7])
def test_decode_equals_the_plain_loop_in_tokens_masks_and_order(schedule, sweet_spot):
    tokens, mask = example()
    trace = decode_with(
        predict, tokens, mask, schedule=schedule, sweet_spot=sweet_spot,
        generator=image_generators(0, "decode", range(5)), **SETTINGS,
    )  # fmt: skip
    for row, same in enumerate(image_generators(0, "decode", range(5))):
        steps, masks, _ = decode_one(
            predict, tokens[row], mask[row], schedule=schedule, num_steps=7, mask_token_id=V, sweet_spot=sweet_spot,
            temperature=4.5, uniform=torch.rand(sweet_spot, N, generator=same),
        )  # fmt: skip
        assert torch.equal(trace.step_tokens[:, row], steps)
        assert torch.equal(trace.step_masks[:, row], masks)
        assert torch.equal(trace.tokens[row], steps[-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("num_steps", [1, 4, 40])
def test_decode_keeps_known_tokens(dtype, num_steps):
    tokens, mask = example(seed=4)
    trace = decode_with(
        lambda t: predict(t).to(dtype), tokens, mask, schedule=Cosine(), num_steps=num_steps, mask_token_id=V,
        generator=generator(0, "decode"),
    )  # fmt: skip
    assert torch.equal(trace.tokens[~mask], tokens[~mask])
    assert bool((trace.step_tokens == tokens)[:, ~mask].all())


def test_decode_of_an_empty_hole_returns_the_input():
    tokens, mask = example()
    trace = decode_with(predict, tokens, torch.zeros_like(mask), schedule=Cosine(), generator=generator(0, "d"), **SETTINGS)
    assert torch.equal(trace.tokens, tokens)
    assert not bool(trace.step_masks.any())


def test_decode_never_predicts_the_mask_token_even_if_it_is_the_most_likely():
    tokens, mask = example()

    def loves_the_mask_token(t):
        return predict(t) + 1e4 * torch.nn.functional.one_hot(torch.tensor(V), V + 1)

    trace = decode_with(loves_the_mask_token, tokens, mask, schedule=Linear(), generator=generator(0, "d"), **SETTINGS)
    assert int(trace.step_tokens.max()) < V


def test_decode_ignores_values_under_the_mask():
    tokens, mask = example(seed=2)
    other = torch.where(mask, (tokens + 3) % V, tokens)
    first, second = (
        decode_with(predict, t, mask, schedule=Square(), generator=generator(0, "d"), **SETTINGS) for t in (tokens, other)
    )
    assert torch.equal(first.step_tokens, second.step_tokens)


def test_decode_hides_as_many_tokens_as_each_images_own_hole_asks():
    tokens, mask = example()
    trace = decode_with(predict, tokens, mask, schedule=Linear(), generator=generator(0, "d"), **SETTINGS)
    n0 = mask.sum(1).tolist()
    for step in range(7):
        assert trace.step_masks[step].sum(1).tolist() == [n * (6 - step) // 7 for n in n0]


def test_decode_keeps_revealed_tokens():
    tokens, mask = example(seed=6)
    trace = decode_with(predict, tokens, mask, schedule=Cosine(), generator=generator(0, "d"), **SETTINGS)
    for step in range(6):
        seen = ~trace.step_masks[step]
        assert torch.equal(trace.step_tokens[step][seen], trace.step_tokens[-1][seen])
        assert not bool((trace.step_masks[step + 1] & seen).any())


def test_decode_has_every_sweet_spot_on_one_trajectory():
    tokens, mask = example(seed=8)
    whole = decode_with(predict, tokens, mask, schedule=Square(), generator=image_generators(1, "d", range(5)), **SETTINGS)
    for sweet_spot in range(1, 8):
        part = decode_with(
            predict, tokens, mask, schedule=Square(), sweet_spot=sweet_spot,
            generator=image_generators(1, "d", range(5)), **SETTINGS,
        )  # fmt: skip
        assert torch.equal(part.tokens, whole.step_tokens[sweet_spot - 1])


def test_decode_gives_an_image_the_same_tokens_alone_and_in_a_batch():
    tokens, mask = example(seed=9)
    batch = decode_with(predict, tokens, mask, schedule=Cosine(), generator=image_generators(0, "d", range(5)), **SETTINGS)
    for row in range(5):
        single = decode_with(
            predict, tokens[row : row + 1], mask[row : row + 1], schedule=Cosine(),
            generator=image_generators(0, "d", [row]), **SETTINGS,
        )  # fmt: skip
        assert torch.equal(single.tokens[0], batch.tokens[row])


def test_decode_shows_its_predictor_what_is_hidden_and_lets_it_decide_nothing_else():
    tokens, mask = example()
    seen: list[tuple[torch.Tensor, torch.Tensor, list[int]]] = []

    def predictor(shown, asked, counts):
        seen.append((shown, asked, counts))
        certain = torch.nn.functional.one_hot(torch.tensor(3), V + 1).float().expand(*shown.shape, -1)
        return certain.masked_fill(~asked[..., None], torch.nan), torch.arange(shown.numel()).view_as(shown)

    settings = DecodeSettings(schedule=Linear(), choice_temperature=0.0)
    trace = decode(predictor, tokens, mask, settings=settings, mask_token_id=V)
    assert torch.equal(trace.tokens, tokens.masked_fill(mask, 3))
    for step, (shown, asked, counts) in enumerate(seen):
        assert torch.equal(asked, trace.step_masks[step - 1] if step else mask)
        assert asked.sum(1).tolist() == counts
        assert torch.equal(shown == V, asked)


def test_decode_hides_nothing_again_when_the_schedule_rises():
    tokens, mask = example()
    rising = {1 / 3: 0.2, 2 / 3: 0.9, 1.0: 0.0}
    trace = decode_with(
        predict, tokens, mask, schedule=rising.__getitem__, num_steps=3, mask_token_id=V, generator=generator(0, "d")
    )
    assert torch.equal(trace.step_masks[1], trace.step_masks[0])


def test_decode_order_noise_blurs_the_order_of_log_probabilities():
    # at temperature 0 the most confident tokens come first; the noise may only blur that order
    tokens, mask = example(batch=64, seed=10)
    mask[:] = True
    log_p = predict(torch.full_like(tokens, V))[..., :V].log_softmax(-1).max(-1).values
    cold = decode_with(predict, tokens, mask, schedule=Linear(), choice_temperature=0.0, **SETTINGS)
    warm = decode_with(predict, tokens, mask, schedule=Linear(), choice_temperature=4.5, generator=generator(0, "d"), **SETTINGS)

    def revealed_confidence(trace):
        return float(log_p[~trace.step_masks[0]].mean())

    average = float(log_p.mean())
    assert revealed_confidence(cold) > revealed_confidence(warm) > average


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sweet_spot": 12}, r"decode\.sweet_spot must be from 1 to decode\.num_steps \(7\), got 12"),
        ({"sweet_spot": 0}, r"decode\.sweet_spot"),
        ({"num_steps": 0}, r"decode\.num_steps"),
        ({"choice_temperature": -1.0}, r"decode\.choice_temperature"),
        ({"generator": None}, "generator"),
        ({"generator": image_generators(0, "d", range(3))}, "3 generators for 5 images"),
    ],
)
def test_decode_names_bad_settings(change, message):
    tokens, mask = example()
    arguments = {**SETTINGS, "schedule": Linear(), "generator": generator(0, "d"), **change}
    with pytest.raises(ValueError, match=message):
        decode_with(predict, tokens, mask, **arguments)


def harmed(logits, seed):
    """Return logits with NaN and infinities at some places, and in some rows at all of them."""
    g = torch.Generator().manual_seed(seed)
    values = torch.tensor([torch.nan, torch.inf, -torch.inf])[torch.randint(3, logits.shape, generator=g)]
    some = torch.rand(logits.shape, generator=g) < 0.1 * (seed % 4)
    rows = torch.rand(logits.shape[:-1], generator=g)[..., None] < 0.1 * (seed // 4 % 3)
    return torch.where(some | rows, values, logits)


@pytest.mark.parametrize("seed", [seed for seed in range(24) if seed % 12])  # at the others nothing is harmed
def test_decode_of_logits_that_are_not_finite_is_an_error_by_name_and_hides_no_known_token_on_the_way(seed):
    tokens, mask = example(seed=seed)
    settings = DecodeSettings(schedule=Cosine(), num_steps=7)
    planned = hidden_counts(mask, settings).tolist()
    network = predictor_of(lambda t: harmed(predict(t), seed))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def watched(current, hidden, counts):
        assert bool((current == tokens)[~mask].all())
        assert hidden.sum(1).tolist() == counts == planned[len(seen)]
        assert not bool((hidden & ~mask).any())
        seen.append(network(current, hidden, counts))
        return seen[-1]

    with pytest.raises(ValueError, match=r"the logits of image \d of the batch are not finite at decoding step \d: the weights"):
        decode(watched, tokens, mask, settings=settings, mask_token_id=V, generator=generator(0, "d"))
    assert len(seen) == 7


def test_decode_says_which_image_and_which_step_were_not_finite():
    tokens, mask = example()
    calls = []

    def late(t):
        calls.append(1)
        logits = predict(t).expand(*t.shape, -1).clone()
        logits[3] = torch.nan if len(calls) >= 4 else 0.0
        return logits

    with pytest.raises(ValueError, match=r"logits of image 3 of the batch are not finite at decoding step 4"):
        decode_with(late, tokens, mask, schedule=Linear(), generator=generator(0, "d"), **SETTINGS)


def test_decode_refuses_a_choice_of_the_mask_token(monkeypatch):
    tokens, mask = example()
    likely = TokenLogits.most_likely

    def careless(logits):
        token, log_p = likely(logits)
        return torch.full_like(token, V), log_p

    monkeypatch.setattr(TokenLogits, "most_likely", careless)
    with pytest.raises(ValueError, match="the mask token was chosen for image 1 of the batch at decoding step 1"):
        decode_with(predict, tokens, mask, schedule=Linear(), generator=generator(0, "d"), **SETTINGS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "warm", True])
def test_decode_settings_refuse_a_temperature_that_is_no_number(value):
    with pytest.raises(ValueError, match=r"decode.choice_temperature must be .*at least 0, got "):
        DecodeSettings(schedule=Linear(), choice_temperature=value)


@pytest.mark.parametrize("key", ["num_steps", "sweet_spot", "mask_dilation", "mask_blend_pixels", "refresh_every", "refresh_ring"])
@pytest.mark.parametrize("value", [-1, 2.5, float("nan"), 1e30])
def test_decode_settings_refuse_counts_that_are_none_by_their_key(key, value):
    with pytest.raises(ValueError, match=rf"decode.{key} must be"):
        DecodeSettings(schedule=Linear(), **{key: value})
