"""Scores of the hole only: per image over its hole pixels, then the mean over images.

Most of a whole-image score is the known part, which was copied. Images without a hole are left out.
"""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.data.image_set import unit_range

MIN_SQUARED_ERROR = 1e-10  # a perfect fill scores 100 dB instead of infinity


class HoleMetric(Metric):
    """Mean over images with a hole; float32 sums, because Apple's GPUs have no float64."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.total: Tensor
        self.count: Tensor

    @abstractmethod
    def per_image(self, images: Tensor, truth: Tensor, holes: Tensor) -> Tensor:
        """Return a score (B,) for images that all have a hole."""

    def update(self, images: Tensor, truth: Tensor, holes: Tensor) -> None:
        """Add images (B, 3, H, W) in [0, 1], their truth and their holes (B, H, W) bool."""
        some = holes.flatten(1).any(1)
        self.total += self.of_each(images, truth, holes)[some].sum()
        self.count += some.sum()

    def of_each(self, images: Tensor, truth: Tensor, holes: Tensor) -> Tensor:
        """Return the score of each image (B,), NaN where it has no hole; as in `update`."""
        some = holes.flatten(1).any(1)
        values = torch.full((len(images),), torch.nan, device=images.device)
        if bool(some.any()):
            values[some] = self.per_image(images[some].float(), truth[some].float(), holes[some])
        return values

    def compute(self) -> Tensor:
        """Return the mean, NaN when no image had a hole."""
        return torch.where(self.count > 0, self.total / self.count, torch.nan)


class HolePSNR(HoleMetric):
    """Peak signal-to-noise ratio in dB of the hole pixels."""

    def per_image(self, images: Tensor, truth: Tensor, holes: Tensor) -> Tensor:
        """Return 10 log10(1 / MSE)."""
        return -10 * hole_mean((images - truth).square(), holes).clamp(min=MIN_SQUARED_ERROR).log10()


class HoleMAE(HoleMetric):
    """Mean absolute error of the hole pixels, in 8-bit grey values (0..255)."""

    def per_image(self, images: Tensor, truth: Tensor, holes: Tensor) -> Tensor:
        """Return the mean absolute difference times 255."""
        return 255 * hole_mean((images - truth).abs(), holes)


class HoleSSIM(HoleMetric):
    """Structural similarity (Wang et al. 2004, 11-pixel Gaussian window), its map averaged over the hole pixels."""

    def per_image(self, images: Tensor, truth: Tensor, holes: Tensor) -> Tensor:
        """Return the mean of the SSIM map inside the hole."""
        with exact_float32():  # the variance is a difference of two averages, which convolutions compute
            result = structural_similarity_index_measure(images, truth, data_range=1.0, return_full_image=True)
        assert isinstance(result, tuple)
        return hole_mean(result[1], holes)


def hole_metrics() -> dict[str, HoleMetric]:
    """Return new metrics by the names of their scores."""
    return {"psnr_hole": HolePSNR(), "ssim_hole": HoleSSIM(), "mae_hole": HoleMAE()}


def scores_of_each(images: np.ndarray, truth: np.ndarray, holes: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores (n,) by name, NaN without a hole, of images and truths uint8 (n, H, W, 3) with holes (n, H, W) bool."""
    filled, true, hidden = unit_range(images), unit_range(truth), torch.from_numpy(np.array(holes))
    return {name: metric.of_each(filled, true, hidden).numpy() for name, metric in hole_metrics().items()}


def hole_mean(values: Tensor, holes: Tensor) -> Tensor:
    """Return the mean over hole pixels and channels, (B,), of values (B, C, H, W) with holes (B, H, W)."""
    weight = holes[:, None].to(values.dtype)
    return (values * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) * values.shape[1])
