"""A discriminator on a frozen network's features (Sauer et al. 2021, Projected GANs), here on SqueezeNet's.

Small heads judge each layer; the features are learnt already. An ImageNet network that helps to train can lower an ImageNet
distance without better images: judge such a tokenizer by `fd_tokenizer`, PSNR and eyes too.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from maskgit_lab.models.squeezenet import SqueezeNet

WIDTH = 64
FIRST_TAP = 1  # the stem's own activations are edges: leave them to the pixel losses
IMAGES = (1, 3, 64, 64)  # to find the layers' widths


class ProjectedDiscriminator(nn.Module):
    """Heads on frozen SqueezeNet features: one logit for each position of each layer, high for real.

    Args:
        weights: a torchvision squeezenet1_0 state dict.
        mean: per channel, with which the images that it judges were normalised.
        std: per channel.
    """

    def __init__(self, *, weights: str | Path, mean: list[float], std: list[float]) -> None:
        super().__init__()
        # in a tuple: frozen weights do not belong in the checkpoint or the optimiser
        self.frozen = (SqueezeNet.from_file(weights),)
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        with torch.no_grad():
            widths = [taps.shape[1] for taps in self.frozen[0].features(torch.zeros(IMAGES))[FIRST_TAP:]]
        self.heads = nn.ModuleList(_head(width) for width in widths)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, positions of all layers) of normalised images (B, 3, H, W), H and W at least 32."""
        net = self.frozen[0].to(images.device)
        taps = net.features(images.float() * self.std + self.mean)[FIRST_TAP:]
        return torch.cat([head(tap.float()).flatten(1) for head, tap in zip(self.heads, taps, strict=True)], 1)


def _head(width: int) -> nn.Sequential:
    # activations of SqueezeNet are in the hundreds: normalise before anything is learnt
    return nn.Sequential(
        nn.GroupNorm(1, width, affine=False), nn.Conv2d(width, WIDTH, 1), nn.LeakyReLU(0.2), nn.Conv2d(WIDTH, 1, 3, padding=1)
    )
