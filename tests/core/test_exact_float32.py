"""Convolutions without TF32, and the setting as it was afterwards."""

import pytest
import torch
from torch.nn import functional as F

from maskgit_lab.core.exact_float32 import _switch, exact_float32


def setting() -> object:
    where, name, _ = _switch()
    return getattr(where, name)


def test_exact_float32_gives_the_setting_back_also_after_an_error():
    before, exact = setting(), _switch()[2]
    assert before != exact
    with exact_float32():
        with exact_float32():
            assert setting() == exact
        assert setting() == exact
    assert setting() == before
    with pytest.raises(ValueError, match="inside"), exact_float32():
        raise ValueError("inside")
    assert setting() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, torch finds none here")
def test_exact_float32_convolves_on_a_card_as_a_cpu_does():
    g = torch.Generator().manual_seed(0)
    x, weight = torch.randn(4, 64, 32, 32, generator=g), torch.randn(64, 64, 3, 3, generator=g)
    expected = F.conv2d(x.double(), weight.double())
    with exact_float32():
        exact = F.conv2d(x.cuda(), weight.cuda()).cpu().double()
    assert (exact - expected).norm() < 1e-5 * expected.norm()  # TF32 is at 3e-4
