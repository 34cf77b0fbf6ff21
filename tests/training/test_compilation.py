"""The values of training.compile."""

from typing import Any

import pytest
import torch

from maskgit_lab.training.compilation import MODES, compile_options, records_steps

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(
    ("value", "options"),
    [(False, None), (True, {}), ("graph", None), ("auto", None), ("reduce-overhead", {"mode": "reduce-overhead"})],
)
def test_compile_options_take_false_true_or_a_mode(value: bool | str, options: dict[str, str] | None):
    assert compile_options(value) == options


@pytest.mark.parametrize("value", ["yes", "fast", 3, None])
def test_compile_options_refuse_other_values_with_the_modes_there_are(value: object):
    with pytest.raises(
        ValueError, match=r"training\.compile must be true, false, auto, graph or a mode \(default, reduce-overhead"
    ):
        compile_options(value)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch 2.11's compiler, of its own imports
@pytest.mark.parametrize("mode", MODES)
def test_modes_are_all_known_to_torch(mode: str):
    torch.nn.Linear(1, 1).compile(mode=mode)  # compiled when it is called; a mode that torch lacks is refused here


def test_modes_that_torch_lacks_are_refused_at_once():
    with pytest.raises(RuntimeError, match="mode"):
        torch.nn.Linear(1, 1).compile(mode="fastest")


FINE: dict[str, Any] = {"speed": "fast", "one_device": True, "accumulated_batches": 1, "on_cuda": True}


@pytest.mark.parametrize(
    ("change", "named"),
    [({"speed": "plain"}, "speed=fast"), ({"one_device": False}, "trainer.devices=1"), ({"accumulated_batches": 2}, "accumulate")],
)
def test_records_steps_refuses_graph_where_it_would_be_wrong_and_auto_leaves_it(change: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=rf"^training\.compile=graph needs .*{named}"):
        records_steps("graph", **{**FINE, **change})
    assert not records_steps("auto", **{**FINE, **change})
    assert not records_steps(True, **{**FINE, **change})


def test_records_steps_on_a_gpu_by_itself_and_never_when_it_is_switched_off():
    assert records_steps("auto", **FINE)
    assert not records_steps("auto", **{**FINE, "on_cuda": False})
    assert not any(records_steps(value, **FINE) for value in (False, True, "reduce-overhead"))
