"""What every policy holds, whatever it scores: known tokens, counts, batches, seeds, sweet spots."""

import pytest
import torch

from maskgit_lab.core.decoding import DecodedPass, DecodeSettings, DecodeTrace, decode, hidden_counts, predictor_of
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine, Linear
from tests.support.policies import POLICIES

BATCH, N, V = 6, 36, 11
EMBEDDING = torch.randn(V + 1, 16, generator=torch.Generator().manual_seed(0))
MIXING = torch.randn(N, N, generator=torch.Generator().manual_seed(1)) / N**0.5
READOUT = torch.randn(16, V + 1, generator=torch.Generator().manual_seed(2))
EVERY = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
TOKENS = pytest.mark.parametrize("temperature", [0.0, 1.0])


def predict(tokens: torch.Tensor) -> torch.Tensor:
    """Predict from all visible tokens; row by row, so that a batch is rounded as its rows are."""
    return torch.stack([(torch.tanh(MIXING @ EMBEDDING[row]) @ READOUT) * 1.5 for row in tokens])


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and holes: none, one token, ragged ones, everything."""
    g = torch.Generator().manual_seed(seed)
    tokens, draws = torch.randint(V, (BATCH, N), generator=g), torch.rand(BATCH, N, generator=g)
    return tokens, draws.argsort(1).argsort(1) < torch.tensor([0, 1, 7, 17, 30, N])[:, None]


def settings_of(policy: Policy, *, temperature: float = 0.0, **changes) -> DecodeSettings:
    token_temperature = 0.0 if policy.sets_token_temperature else temperature
    return DecodeSettings(**{"schedule": Cosine(), "token_temperature": token_temperature, "policy": policy, **changes})


def decoded(policy: Policy, *, network=predict, rows=slice(None), seed: int = 0, watch=None, **changes) -> DecodeTrace:
    tokens, mask = (grid[rows] for grid in example())
    return decode(
        predictor_of(network), tokens, mask, settings=settings_of(policy, **changes), mask_token_id=V,
        generator=image_generators(seed, "d", range(BATCH)[rows]), watch=watch,
    )  # fmt: skip


@EVERY
@TOKENS
def test_policies_are_watched_pass_by_pass_and_do_not_notice(policy, temperature):
    passes: list[DecodedPass] = []
    trace, alone = (decoded(policy, num_steps=7, temperature=temperature, watch=watch) for watch in (passes.append, None))
    assert torch.equal(trace.step_tokens, alone.step_tokens)
    assert torch.equal(trace.log_p, alone.log_p)
    assert [now.number for now in passes] == list(range(1, len(passes) + 1))
    assert {now.of for now in passes} == {len(policy.walk(7))}
    ended = [now for now in passes if now.step is not None]
    assert [now.step for now in ended] == list(range(1, len(ended) + 1))
    assert len(ended) == 7 or policy.adaptive
    for i, now in enumerate(ended):
        assert torch.equal(now.tokens, trace.step_tokens[i])
        assert torch.equal(now.hidden, trace.step_masks[i])
    assert torch.equal(passes[-1].log_p, trace.log_p)


@EVERY
@TOKENS
@pytest.mark.parametrize(
    ("dtype", "num_steps"), [(torch.float32, 1), (torch.float32, 5), (torch.float32, 40), (torch.bfloat16, 5), (torch.float16, 5)]
)
def test_policies_keep_known_tokens_and_predict_codes_only(policy, temperature, dtype, num_steps):
    (tokens, mask), trace = example(), decoded(policy, network=lambda t: predict(t).to(dtype), num_steps=num_steps,
                                               temperature=temperature)  # fmt: skip
    assert bool((trace.step_tokens == tokens)[:, ~mask].all())
    assert not bool((trace.step_masks & ~mask).any())
    assert int(trace.step_tokens.max()) < V
    assert len(trace.step_tokens) == num_steps
    assert not bool(trace.step_masks[-1].any())


@EVERY
@TOKENS
def test_policies_never_take_the_mask_token_though_it_is_the_most_likely(policy, temperature):
    def loves_the_mask_token(tokens):
        return predict(tokens) + 1e4 * torch.nn.functional.one_hot(torch.tensor(V), V + 1)

    assert int(decoded(policy, network=loves_the_mask_token, temperature=temperature).step_tokens.max()) < V


@EVERY
@pytest.mark.parametrize(("num_steps", "schedule"), [(4, Linear()), (7, Linear()), (7, Cosine()), (50, Cosine())])
def test_policies_hide_as_many_as_each_images_own_hole_asks(policy, num_steps, schedule):
    _, mask = example()
    trace = decoded(policy, num_steps=num_steps, schedule=schedule)
    if policy.adaptive:
        assert bool((trace.step_masks.sum(2).diff(dim=0) <= 0).all())
        return
    r = [policy.clock((step + 1) / num_steps) for step in range(num_steps)]
    assert trace.step_masks.sum(2).tolist() == [[int(n * schedule(x) + 1e-9) for n in mask.sum(1).tolist()] for x in r]


@EVERY
@TOKENS
def test_policies_give_an_image_the_same_tokens_alone_and_in_a_batch(policy, temperature):
    together = decoded(policy, temperature=temperature)
    for row in range(BATCH):
        single = decoded(policy, temperature=temperature, rows=slice(row, row + 1))
        assert torch.equal(single.step_tokens[:, 0], together.step_tokens[:, row])
        assert torch.equal(single.step_masks[:, 0], together.step_masks[:, row])


@EVERY
@TOKENS
def test_policies_repeat_themselves_at_the_same_seed(policy, temperature):
    assert torch.equal(decoded(policy, temperature=temperature).step_tokens, decoded(policy, temperature=temperature).step_tokens)


@EVERY
def test_policies_with_sampled_tokens_fill_otherwise_at_another_seed(policy):
    first, second = (decoded(policy, seed=seed, temperature=1.0) for seed in (0, 1))
    assert not torch.equal(first.tokens, second.tokens)


@EVERY
@TOKENS
def test_policies_have_every_sweet_spot_on_one_trajectory(policy, temperature):
    whole = decoded(policy, temperature=temperature)
    for sweet_spot in range(1, 8):
        part = decoded(policy, temperature=temperature, sweet_spot=sweet_spot)
        assert torch.equal(part.step_tokens, whole.step_tokens[:sweet_spot])
        assert torch.equal(part.tokens, whole.step_tokens[sweet_spot - 1])


@EVERY
def test_policies_ignore_values_under_the_mask(policy):
    tokens, mask = example()
    fills = [
        decode(
            predictor_of(predict), torch.where(mask, (tokens + shift) % V, tokens), mask, mask_token_id=V,
            settings=settings_of(policy, temperature=1.0), generator=image_generators(0, "d", range(BATCH)),
        )
        for shift in (0, 3)
    ]  # fmt: skip
    assert torch.equal(fills[0].step_tokens, fills[1].step_tokens)


@EVERY
def test_policies_change_what_was_revealed_only_where_they_may(policy):
    trace = decoded(policy, temperature=1.0, num_steps=9)
    seen = ~trace.step_masks[:-1]
    changed = bool(((trace.step_tokens[1:] != trace.step_tokens[:-1]) & seen).any()) or bool((trace.step_masks[1:] & seen).any())
    assert changed <= (policy.remasks or policy.walk(9) != list(range(9)))


@EVERY
@TOKENS
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_policies_end_with_an_error_by_name_when_logits_are_not_finite(policy, temperature, bad):
    def harmed(tokens):
        logits = predict(tokens)
        logits[3, ::2, ::3] = bad
        return logits

    with pytest.raises(ValueError, match=r"the logits of image 3 of the batch are not finite at decoding step 1"):
        decoded(policy, network=harmed, temperature=temperature)


@EVERY
def test_policies_ask_for_as_many_as_they_say(policy):
    asked_for = []

    def watched(tokens, asked, counts):
        assert counts is None or list(counts) == asked.sum(1).tolist()
        assert bool((tokens == V)[asked].all()) or policy.rescores
        asked_for.append(counts)
        return predictor_of(predict)(tokens, asked, counts)

    tokens, mask = example()
    decode(watched, tokens, mask, settings=settings_of(policy), mask_token_id=V, generator=image_generators(0, "d", range(BATCH)))
    assert asked_for[0] == mask.sum(1).tolist()
    assert (None in asked_for) == policy.adaptive


@EVERY
def test_walks_to_earlier_stops_are_the_beginning_of_the_whole(policy):
    whole = policy.walk(12)
    assert sorted(set(whole)) == list(range(12))
    for stop in range(1, 12):
        assert policy.walk(stop) == whole[: len(policy.walk(stop))]
        assert policy.walk(stop)[-1] == stop - 1


@EVERY
def test_hidden_counts_follow_a_policys_clock_and_end_at_none(policy):
    _, mask = example()
    counts = hidden_counts(mask, settings_of(policy, num_steps=10))
    assert counts[0].tolist() == mask.sum(1).tolist()
    assert not bool(counts[-1].any())
    assert bool((counts.diff(dim=0) <= 0).all())
