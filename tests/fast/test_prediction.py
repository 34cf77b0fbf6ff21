"""Hidden prediction: exact; with partial refresh an approximation that keeps every property of decoding."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings, DecodeTrace, decode, hidden_counts
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine, Linear
from maskgit_lab.fast.model import FastModel
from maskgit_lab.fast.prediction import ring_around
from maskgit_lab.fast.transformer import FastTransformer
from maskgit_lab.models.filling import Masked, decode_masked, predict_at_once
from tests.support.builders import transformer

pytestmark = pytest.mark.processor

MASK = torch.rand(5, 64, generator=torch.Generator().manual_seed(0)) < torch.tensor([0.0, 0.05, 0.3, 0.7, 1.0])[:, None]
REFRESHES = pytest.mark.parametrize("refresh_every", [None, 1, 2, 7])


def network() -> FastModel:
    torch.manual_seed(0)
    made = FastModel(transformer=transformer(num_layers=4, norm_first=False)).eval()
    for parameter in made.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(15)  # predictions that depend on what was revealed
    return made


def given(rows: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    tokens, context = torch.randint(16, (5, 64), generator=g), torch.randn(5, 64, 16, generator=g)
    return tokens[rows], MASK[rows], context[rows]


def masked(rows: slice = slice(None), model: FastModel | None = None) -> Masked:
    tokens, mask, context = given(rows)
    predictors = (model or network()).predictors(tokens, mask, context)
    return Masked(torch.empty(0), torch.empty(0), tokens, mask, predictors)


def filled(rows: slice = slice(None), *, of: Masked | None = None, **changes: object) -> DecodeTrace:
    settings = DecodeSettings(**{"schedule": Cosine(), "num_steps": 6, **changes})  # type: ignore[arg-type]
    generators = image_generators(0, "d", range(5)[rows])
    return decode_masked(network(), of or masked(rows), settings=settings, generators=generators)


def test_refresh_with_a_full_pass_in_every_step_is_exact():
    assert torch.equal(filled(refresh_every=1).step_tokens, filled().step_tokens)


def test_refresh_is_exact_in_the_first_step():
    assert torch.equal(filled(refresh_every=3).step_tokens[0], filled().step_tokens[0])


@REFRESHES
def test_decode_masked_keeps_known_tokens(refresh_every: int | None):
    assert bool((filled(refresh_every=refresh_every).step_tokens == masked().tokens)[:, ~MASK].all())


@REFRESHES
def test_decode_masked_counts_by_each_images_own_hole(refresh_every: int | None):
    trace = filled(refresh_every=refresh_every, schedule=Linear())
    for step in range(6):
        assert trace.step_masks[step].sum(1).tolist() == [n * (5 - step) // 6 for n in MASK.sum(1).tolist()]


@REFRESHES
def test_decode_masked_does_not_depend_on_the_batch(refresh_every: int | None):
    together = filled(refresh_every=refresh_every)
    for i in range(5):
        single = filled(slice(i, i + 1), refresh_every=refresh_every)
        assert torch.equal(single.step_tokens[:, 0], together.step_tokens[:, i])


@REFRESHES
def test_decode_masked_with_more_steps_than_hidden_tokens_hides_none_in_the_end(refresh_every: int | None):
    trace = filled(refresh_every=refresh_every, num_steps=40, schedule=Linear())
    assert not bool(trace.step_masks[-1].any())
    assert int(trace.tokens.max()) < 16


def test_refresh_agrees_with_exact_decoding_on_most_tokens():
    approximate, exact = filled(refresh_every=6), filled()
    agreement = float((approximate.tokens == exact.tokens)[MASK].float().mean())
    assert 0.8 < agreement < 1


@pytest.mark.parametrize("ring", [0, 1])
def test_refresh_computes_the_hole_and_the_ring_only_between_full_passes(ring: int, monkeypatch: pytest.MonkeyPatch):
    computed = []
    refresh = FastTransformer.refresh

    def counted(self, tokens, context, memory, changed, wanted):
        computed.append(changed.counts)
        return refresh(self, tokens, context, memory, changed, wanted)

    monkeypatch.setattr(FastTransformer, "refresh", counted)
    filled(refresh_every=6, refresh_ring=ring)
    cells = MASK | ring_around(MASK, ring)
    assert computed[0] == tuple(cells.sum(1).tolist())
    assert len(computed) == 5


def test_predict_at_once_shares_a_first_step_that_changes_nothing():
    shared = masked()
    logits = predict_at_once(network(), shared)
    for _ in range(2):
        assert torch.equal(filled(of=shared).step_tokens, filled().step_tokens)
    assert torch.equal(predict_at_once(network(), shared), logits)


def test_ring_around_is_the_known_cells_next_to_the_hole():
    mask = torch.zeros(1, 16, dtype=torch.bool)
    mask[0, 5] = True
    assert ring_around(mask, 1)[0].nonzero().flatten().tolist() == [0, 1, 2, 4, 6, 8, 9, 10]
    assert not ring_around(mask, 0).any()


def test_decode_settings_refuse_a_period_of_no_steps_by_its_key():
    with pytest.raises(ValueError, match=r"decode\.refresh_every must be at least 1 step or null, got 0"):
        DecodeSettings(schedule=Cosine(), refresh_every=0)
    with pytest.raises(ValueError, match=r"decode\.refresh_ring must be at least 0 cells, got -1"):
        DecodeSettings(schedule=Cosine(), refresh_ring=-1)


@REFRESHES
@pytest.mark.parametrize("seed", range(4))
def test_decode_masked_of_logits_that_are_not_finite_is_an_error_by_name_and_hides_no_known_token_on_the_way(
    refresh_every: int | None, seed: int
):
    g = torch.Generator().manual_seed(seed)
    calls: list[int] = []

    def harmed(tokens: Tensor, asked: Tensor, counts: Sequence[int] | None) -> tuple[Tensor, Tensor]:
        logits, cells = predict(tokens, asked, counts)
        assert bool(MASK.flatten()[cells].all())
        calls.append(len(cells))
        values = torch.tensor([torch.nan, torch.inf, -torch.inf])[torch.randint(3, logits.shape, generator=g)]
        return torch.where(torch.rand(logits.shape, generator=g) < 0.2, values, logits), cells

    settings = DecodeSettings(schedule=Cosine(), num_steps=6, refresh_every=refresh_every)
    given = masked()
    predict = given.predictors.start(settings)
    with pytest.raises(ValueError, match=r"the logits of image \d of the batch are not finite at decoding step 1"):
        decode(harmed, given.tokens, MASK, settings=settings, mask_token_id=16, generator=image_generators(0, "d", range(5)))
    assert calls == hidden_counts(MASK, settings)[:-1].sum(1).tolist()
