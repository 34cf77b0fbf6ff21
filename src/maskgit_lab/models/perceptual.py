"""A perceptual distance in the manner of LPIPS (Zhang et al. 2018) from local SqueezeNet weights.

Without LPIPS's learned channel weights, which would be a second download: every channel counts the same.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from maskgit_lab.models.squeezenet import SqueezeNet

EPS = 1e-8  # keeps the gradient of the norm finite at positions where no channel fires


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
            wanted = [_unit(x) for x in self.net.features(targets)]
        found = [_unit(x) for x in self.net.features(images)]
        return torch.stack([(a - b).square().sum(1).mean() for a, b in zip(found, wanted, strict=True)]).sum()


def _unit(x: Tensor) -> Tensor:
    """Scale each position's channel vector to length 1."""
    x = x.float()
    return x * (x.square().sum(1, keepdim=True) + EPS).rsqrt()
