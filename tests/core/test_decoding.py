"""Decoding against the plain loops of the protocol, and the properties every policy must hold."""

import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings, decode, most_likely
from maskgit_lab.core.randomness import generator, image_generators
from maskgit_lab.core.schedules import Arccos, Cosine, Linear, Square
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


def test_predictor_of_chooses_tokens_by_its_argument():
    tokens, mask = example()

    def second_best(logits, mask_token_id, cells):
        best, _ = most_likely(logits, mask_token_id, cells)
        return most_likely(logits.scatter(-1, best[..., None], -torch.inf), mask_token_id, cells)

    trace = decode_with(predict, tokens, mask, schedule=Linear(), generator=generator(0, "d"), choose=second_best, **SETTINGS)
    expected = predict(tokens.masked_fill(mask, V))[..., :V].argsort(-1, descending=True)[..., 1]
    assert torch.equal(trace.step_tokens[0][mask], expected[mask])


def test_decode_shows_its_predictor_what_is_hidden_and_lets_it_decide_nothing_else():
    tokens, mask = example()
    seen = []

    def predictor(shown, hidden):
        seen.append((shown, hidden))
        return torch.full_like(shown, 3), torch.full(shown.shape, torch.nan).masked_fill(hidden, 0.0)

    settings = DecodeSettings(schedule=Linear(), choice_temperature=0.0)
    trace = decode(predictor, tokens, mask, settings=settings, mask_token_id=V)
    assert torch.equal(trace.tokens, tokens.masked_fill(mask, 3))
    for step, (shown, hidden) in enumerate(seen):
        assert torch.equal(hidden, trace.step_masks[step - 1] if step else mask)
        assert torch.equal(shown == V, hidden)


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
