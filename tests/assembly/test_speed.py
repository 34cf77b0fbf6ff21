"""`speed`: what a run is computed with."""

import pytest

from maskgit_lab.assembly.compose import check_configuration
from maskgit_lab.assembly.speed import at_speed
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.fast.model import FastModel
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from tests.support.builders import model, tokenizer
from tests.support.configs import configuration

SETTINGS = DecodeSettings(schedule=Cosine())


@pytest.mark.parametrize(("speed", "kind"), [("fast", FastModel), ("plain", MaskedTokenModel)])
def test_at_speed_gives_a_model_as_it_is_or_accelerated_with_the_same_networks(speed: str, kind: type):
    plain = model(speed="plain")
    made = at_speed(speed, plain, tokenizer(), SETTINGS)
    assert type(made) is kind
    assert made.transformer is plain.transformer
    assert made.context is plain.context


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["speed=quick"], "speed must be fast or plain, got 'quick'"),
        (["+decode.sweetspot=3"], r"decode\.sweetspot is not known; there are choice_temperature"),
        (["speed=plain", "decode.refresh_every=3"], r"decode\.refresh_every=3 needs speed=fast"),
    ],
)
def test_check_configuration_refuses_speeds_and_decoding_that_cannot_be(overrides: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        check_configuration(configuration(*overrides))


@pytest.mark.parametrize("overrides", [["speed=plain"], ["speed=plain", "decode.refresh_every=1"], ["speed=fast"]])
def test_check_configuration_takes_a_speed_that_can_be(overrides: list[str]):
    check_configuration(configuration(*overrides))
