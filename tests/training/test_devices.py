"""What a configuration asks for, and what goes with it."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy

from maskgit_lab.training.devices import asks_for_one_device, check_accelerator, require_whole_weights
from maskgit_lab.training.precision import resolve_precision


@pytest.mark.parametrize("devices", [1, "1", [3]])
def test_asks_for_one_device_recognises_one(devices: Any):
    assert asks_for_one_device(devices)
    assert not asks_for_one_device(devices, num_nodes=2)


@pytest.mark.parametrize("devices", [2, "2", "auto", -1, [0, 1]])
def test_asks_for_one_device_is_false_for_what_may_be_several(devices: Any):
    assert not asks_for_one_device(devices)


def test_check_accelerator_names_a_missing_gpu_and_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"trainer.accelerator=gpu: torch finds no GPU here.*trainer=cpu_ddp"):
        check_accelerator("gpu")
    check_accelerator("auto")
    check_accelerator("cpu")


def test_check_accelerator_says_that_apples_gpu_was_never_tried(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    check_accelerator("cpu")
    assert not caplog.records
    check_accelerator("auto")
    assert "has not been run; trainer.accelerator=cpu has been" in caplog.text


def test_require_whole_weights_refuses_weights_that_are_cut_up_with_the_remedy():
    sharded = SimpleNamespace(strategy=object.__new__(FSDPStrategy))
    with pytest.raises(ValueError, match=r"trainer.strategy=FSDPStrategy cuts the weights up.*trainer=multi_gpu"):
        require_whole_weights(sharded)  # type: ignore[arg-type]
    require_whole_weights(SimpleNamespace(strategy=object.__new__(DDPStrategy)))  # type: ignore[arg-type]


def test_resolve_precision_of_several_processes_is_not_measured():
    assert resolve_precision("auto", "cpu", single=False)[0] == "32-true"
    assert resolve_precision("bf16-mixed", "cpu", single=False)[0] == "bf16-mixed"
