"""A perceptual distance in the manner of LPIPS (Zhang et al. 2018) from local SqueezeNet weights.

Without LPIPS's learned channel weights, which would be a second download: every channel counts the same.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from maskgit_lab.models.squeezenet import SqueezeNet

EPS = 1e-8  # keeps the gradient of the norm finite at positions where no channel fires
CPU_IMAGES = 8  # at a time on a CPU: what one operation has written is still in its cache when the next one reads it


class PerceptualLoss(nn.Module):
    """Mean squared distance of channel-normalised activations, summed over layers.

    Args:
        weights: a torchvision squeezenet1_0 state dict.
    """

    def __init__(self, *, weights: str | Path) -> None:
        super().__init__()
        self.net = SqueezeNet.from_file(weights)

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return the distance, a float32 scalar of 0 and above, of RGB images (B, 3, H, W) in [0, 1].

        Gradients reach `images`; `targets` are taken as constants.
        """
        with torch.no_grad():
            wanted = self.net.features(targets)
        found = self.net.features(images)
        return torch.stack([_distance(a, b) for a, b in zip(found, wanted, strict=True)]).sum()


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared distance of the normalised channel vectors of a layer, activations (B, C, h, w)."""
    images = CPU_IMAGES if found.device.type == "cpu" else len(found)
    parts = zip(found.split(images), wanted.split(images), strict=True)
    return torch.cat([(_unit(a) - _unit(b)).square().sum(1).flatten() for a, b in parts]).mean()


def _unit(x: Tensor) -> Tensor:
    """Scale each position's channel vector to length 1."""
    x = x.float()
    return x * (x.square().sum(1, keepdim=True) + EPS).rsqrt()
