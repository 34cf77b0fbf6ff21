"""The truncated Inception: right widths, right layers, clear refusals; calibrated on the real images where they are."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torchvision.models.inception import InceptionA

from maskgit_lab.evaluation.inception import CUTS, TruncatedInception

WEIGHTS = Path(__file__).parents[3] / "shared/weights/inception_v3_imagenet_to_mixed7a.pth"


@pytest.mark.parametrize("cut", list(CUTS))
def test_truncated_inception_has_the_width_of_its_cut(cut):
    net = TruncatedInception(cut=cut)
    assert net(torch.zeros(1, 3, 96, 96)).shape[1] == CUTS[cut]


def test_truncated_inception_names_the_key_of_an_unknown_cut():
    with pytest.raises(ValueError, match=r"metrics\.extractor\.cut"):
        TruncatedInception(cut="mixed_9z")


def test_truncated_inception_stays_in_evaluation_mode():
    assert not any(module.training for module in TruncatedInception(cut="mixed_6e").train().modules())


def test_truncated_inception_leaves_padding_out_of_average_pools():
    net: Any = TruncatedInception(cut="mixed_6e")
    block, theirs = net.Mixed_5b, InceptionA(192, pool_features=32).eval()
    theirs.load_state_dict(block.state_dict())
    images = torch.rand(1, 192, 6, 6, generator=torch.Generator().manual_seed(0))
    ours, padded = block(images), theirs(images)
    assert torch.allclose(ours[..., 1:-1, 1:-1], padded[..., 1:-1, 1:-1], atol=1e-5)
    pooled = block.branch_pool(F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False))
    assert torch.allclose(ours[:, -32:], pooled, atol=1e-6)


def test_truncated_inception_loads_a_whole_torchvision_file_in_half_precision(tmp_path):
    full: Any = TruncatedInception(cut="mixed_7a")
    state = {k: v.half() if k.endswith("conv.weight") else v for k, v in full.state_dict().items()}
    torch.save({**state, "fc.weight": torch.zeros(2, 2)}, tmp_path / "w.pth")
    net: Any = TruncatedInception.from_file(tmp_path / "w.pth", cut="mixed_6e")
    assert net.Mixed_6e.branch1x1.conv.weight.dtype == torch.float32
    assert torch.equal(net.Mixed_6e.branch1x1.conv.weight, full.Mixed_6e.branch1x1.conv.weight.half().float())


def test_truncated_inception_names_the_key_of_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"metrics\.extractor\.weights"):
        TruncatedInception.from_file(tmp_path / "none.pth", cut="mixed_6e")


def test_truncated_inception_refuses_another_file(tmp_path):
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="is not a torchvision inception_v3"):
        TruncatedInception.from_file(tmp_path / "w.pth", cut="mixed_6e")


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs ../shared/weights")
def test_truncated_inception_loads_the_shared_weights():
    assert isinstance(TruncatedInception.from_file(WEIGHTS, cut="mixed_7a"), TruncatedInception)


def test_fold_batch_norms_keeps_the_activations():
    torch.manual_seed(0)
    plain = TruncatedInception(cut="mixed_6e")
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    images = torch.rand(2, 3, 299, 299) * 2 - 1
    expected = plain(images)
    torch.testing.assert_close(copy.deepcopy(plain).fold_batch_norms()(images), expected, rtol=1e-4, atol=1e-5)
