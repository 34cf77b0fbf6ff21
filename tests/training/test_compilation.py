"""The values of training.compile."""

import pytest
import torch

from maskgit_lab.training.compilation import MODES, compile_options


@pytest.mark.parametrize(
    ("value", "options"), [(False, None), (True, {}), ("reduce-overhead", {"mode": "reduce-overhead"})]
)
def test_values(value: bool | str, options: dict[str, str] | None):
    assert compile_options(value) == options


@pytest.mark.parametrize("value", ["yes", "fast", 3, None])
def test_other_values_are_refused_with_the_modes_there_are(value: object):
    with pytest.raises(ValueError, match=r"training\.compile must be true, false or a mode \(default, reduce-overhead"):
        compile_options(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_torch_knows_every_mode(mode: str):
    torch.nn.Linear(1, 1).compile(mode=mode)  # compiled when it is called; a mode that torch lacks is refused here


def test_torch_refuses_a_mode_it_lacks_at_once():
    with pytest.raises(RuntimeError, match="mode"):
        torch.nn.Linear(1, 1).compile(mode="fastest")
