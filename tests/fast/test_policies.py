"""Plain = fast for every policy, whatever it hides again, asks about or asks twice."""

from dataclasses import replace

import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.models.filling import decode_masked, predict_at_once
from tests.fast.test_equals_plain import IMAGES, both
from tests.support.policies import POLICIES

pytestmark = pytest.mark.processor
EVERY = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


def settings_of(policy: Policy, temperature: float) -> DecodeSettings:
    return DecodeSettings(
        schedule=Cosine(), num_steps=6, policy=policy, token_temperature=0.0 if policy.sets_token_temperature else temperature
    )


@EVERY
@pytest.mark.parametrize(("temperature", "kind"), [(0.0, "ragged"), (1.0, "ragged"), (1.0, "none"), (1.0, "all")])
def test_fast_gives_the_tokens_of_plain_for_every_policy(policy: Policy, temperature: float, kind: str):
    settings, traces = settings_of(policy, temperature), []
    for network, masked in both(kind, True, (2, True)):
        for _ in range(2):
            generators = image_generators(0, "d", range(IMAGES))
            traces.append(decode_masked(network, masked, settings=settings, generators=generators))
            predict_at_once(network, masked)  # the next decode begins with it
    for other in traces[1:]:
        assert torch.equal(other.step_tokens, traces[0].step_tokens)
        assert torch.equal(other.step_masks, traces[0].step_masks)


@EVERY
def test_partial_refresh_is_exact_in_the_first_step_or_refused_by_name(policy: Policy):
    exact = settings_of(policy, 0.0)
    if not policy.refreshes:
        with pytest.raises(ValueError, match=rf"decode.refresh_every=3 does not go with decode.policy {policy.name}"):
            replace(exact, refresh_every=3)
        return
    network, masked = both("ragged", True, (2, True))[1]
    traces = [
        decode_masked(network, masked, settings=settings, generators=image_generators(0, "d", range(IMAGES)))
        for settings in (exact, replace(exact, refresh_every=3))
    ]
    assert torch.equal(traces[0].step_tokens[0], traces[1].step_tokens[0])
    known = ~masked.mask
    assert bool((traces[1].step_tokens == masked.tokens)[:, known].all())
