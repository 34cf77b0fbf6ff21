"""The device that a command names."""

import pytest
import torch

from maskgit_lab.machine.device import chosen_device


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "cpu:3", "gpu", "tpu:x"])
def test_chosen_device_names_one_that_is_not_here_and_the_remedy(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=rf"^device={name}: torch .*; device=auto takes what there is"):
        chosen_device(name)
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")
