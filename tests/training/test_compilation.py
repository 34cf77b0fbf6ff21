"""The values of training.compile."""

import pytest
import torch

from maskgit_lab.training.compilation import MODES, compile_options

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(("value", "options"), [(False, None), (True, {}), ("reduce-overhead", {"mode": "reduce-overhead"})])
def test_compile_options_take_false_true_or_a_mode(value: bool | str, options: dict[str, str] | None):
    assert compile_options(value) == options


@pytest.mark.parametrize("value", ["yes", "fast", 3, None])
def test_compile_options_refuse_other_values_with_the_modes_there_are(value: object):
    with pytest.raises(ValueError, match=r"training\.compile must be true, false or a mode \(default, reduce-overhead"):
        compile_options(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_all_known_to_torch(mode: str):
    torch.nn.Linear(1, 1).compile(mode=mode)  # compiled when it is called; a mode that torch lacks is refused here


def test_modes_that_torch_lacks_are_refused_at_once():
    with pytest.raises(RuntimeError, match="mode"):
        torch.nn.Linear(1, 1).compile(mode="fastest")
