"""Scores of the hole alone, by hand-made errors."""

import math

import pytest
import torch

from maskgit_lab.evaluation.hole_metrics import HoleMAE, HolePSNR, HoleSSIM

METRICS = [HolePSNR, HoleSSIM, HoleMAE]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    truth = torch.rand(4, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.5
    holes = torch.zeros(4, 24, 24, dtype=torch.bool)
    holes[:, 8:16, 8:16] = True
    return truth, holes


def test_hole_psnr_of_a_constant_error(batch):
    truth, holes = batch
    metric = HolePSNR()
    metric.update(truth + 0.1, truth, holes)
    assert float(metric.compute()) == pytest.approx(20, abs=1e-4)


def test_hole_mae_is_in_grey_levels(batch):
    truth, holes = batch
    metric = HoleMAE()
    metric.update(truth + 10 / 255, truth, holes)
    assert float(metric.compute()) == pytest.approx(10, abs=1e-3)


@pytest.mark.parametrize("kind", [HolePSNR, HoleMAE])
def test_hole_psnr_and_hole_mae_ignore_errors_outside_the_hole(kind, batch):
    truth, holes = batch
    metric = kind()
    metric.update(torch.where(holes[:, None], truth, 1 - truth), truth, holes)
    assert float(metric.compute()) == pytest.approx(100 if kind is HolePSNR else 0)


def test_hole_ssim_ignores_errors_far_from_the_hole(batch):
    truth, holes = batch
    far = truth.clone()
    far[..., :2, :] = 1 - far[..., :2, :]  # the window reaches 5 pixels, the hole starts at 8
    metric = HoleSSIM()
    metric.update(far, truth, holes)
    assert float(metric.compute()) == pytest.approx(1, abs=1e-5)


def test_hole_psnr_is_averaged_over_images_and_not_pooled(batch):
    truth, holes = batch
    error = torch.tensor([0.1, 0.01, 0.1, 0.01]).view(4, 1, 1, 1)
    metric = HolePSNR()
    metric.update(truth + error, truth, holes)
    assert float(metric.compute()) == pytest.approx(30, abs=1e-2)


@pytest.mark.parametrize("kind", METRICS)
def test_hole_metrics_do_not_depend_on_batches(kind, batch):
    truth, holes = batch
    filled = truth.flip(0)
    whole, parts = kind(), kind()
    whole.update(filled, truth, holes)
    for part in (slice(0, 1), slice(1, 4)):
        parts.update(filled[part], truth[part], holes[part])
    assert float(parts.compute()) == pytest.approx(float(whole.compute()), rel=1e-5)


@pytest.mark.parametrize("kind", METRICS)
def test_hole_metrics_skip_images_without_hole(kind, batch):
    truth, holes = batch
    filled = truth.flip(0)
    some = holes.clone()
    some[2:] = False
    metric, expected = kind(), kind()
    metric.update(filled, truth, some)
    expected.update(filled[:2], truth[:2], holes[:2])
    assert float(metric.compute()) == pytest.approx(float(expected.compute()))
    assert int(metric.count) == 2


def test_hole_psnr_without_any_hole_is_nan(batch):
    truth, holes = batch
    metric = HolePSNR()
    metric.update(truth, truth, torch.zeros_like(holes))
    assert math.isnan(float(metric.compute()))


@pytest.mark.parametrize("kind", METRICS)
def test_hole_metrics_do_not_lose_a_pixel_that_is_not_a_number(kind, batch):
    truth, holes = batch
    broken = truth.clone()
    broken[2, 1, 9, 9] = torch.nan
    metric = kind()
    for part in (slice(0, 2), slice(2, 4)):
        metric.update(broken[part], truth[part], holes[part])
    assert math.isnan(float(metric.compute()))
