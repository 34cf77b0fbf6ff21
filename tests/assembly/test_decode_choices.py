"""The options of conf as a program offers them: names, sentences, numbers with what their comments say."""

import pytest

from maskgit_lab.assembly.decode_choices import choices
from maskgit_lab.assembly.networks import schedule_for
from tests.support.configs import CONF
from tests.support.policies import POLICIES


@pytest.mark.parametrize("group", ["mask_schedule", "decode/policy"])
def test_choices_are_the_options_of_conf_and_build(group: str):
    found = choices(group)
    assert set(found) == {path.stem for path in (CONF / group).glob("[!_]*.yaml")}
    for choice in found.values():
        built = choice.built(**{number.key: number.value for number in choice.numbers})
        assert repr(built) == repr(choice.built())


def test_choices_tell_of_numbers_and_build_with_others():
    remdm = choices("decode/policy")["remdm"]
    assert [number.key for number in remdm.numbers] == ["eta", "loop_from", "loop_to"]  # strategy is a word
    assert remdm.numbers[0].text.startswith("0..1, of rescale")
    assert remdm.text.startswith("Revealed tokens go back to hidden")
    assert choices("decode/policy")["eb"].built(epsilon=1.5) == POLICIES["eb"]


def test_schedules_are_made_for_the_grid_of_the_run():
    found = choices("mask_schedule")
    for name in ("exp", "log"):
        assert found[name].for_grid(1024).built().log_tokens == 10
        assert schedule_for(found[name].node, 1024).log_tokens == 10  # type: ignore[attr-defined]
    assert found["cosine"].for_grid(1024) is found["cosine"]
    assert schedule_for(found["cosine"].node, 1024)(0.5) == found["cosine"].built()(0.5)


@pytest.mark.parametrize("numbers", [{"eta": -1.0}, {"etta": 1.0}, {"_target_": 1.0}, {"strategy": 1.0}, {"eta": "x"}])
def test_choices_refuse_numbers_that_an_option_does_not_take(numbers: dict[str, float]):
    with pytest.raises(ValueError, match=r"eta|remdm"):
        choices("decode/policy")["remdm"].built(**numbers)
