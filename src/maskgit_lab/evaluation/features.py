"""Feature extractors for distances between sets of pictures: each says what it is, so that a score can say so too."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.squeezenet import SqueezeNet
from maskgit_lab.models.tokenizer import FrozenTokenizer

INCEPTION_2015 = "pt_inception-2015-12-05-6726825d.pth"


class Extractor(nn.Module, ABC):
    """Pictures to one feature vector each.

    Attributes:
        name: used in metric names, `fd_<name>`.
        num_features: d.
        protocol: plain values that tell one measurement from another: file, sha256, layer, resize.
    """

    name: str
    num_features: int
    protocol: dict[str, Any]

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return features (B, d) float32 of pictures (B, 3, H, W) in [0, 1]."""


class TokenizerFeatures(Extractor):
    """Mean and spread of the frozen tokenizer's latents over each quadrant of the picture: no download, for the embedded data.

    It judges with the eyes of the tokenizer that also paints the fills, so it says little about the tokenizer itself.
    """

    name = "tokenizer"
    QUADRANTS = 2

    def __init__(self, *, tokenizer: FrozenTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer  # a plain object: stays out of the metric's state
        latent_dim = tokenizer.model.arguments["latent_dim"]
        self.num_features = 2 * latent_dim * self.QUADRANTS**2
        self.protocol = {
            "extractor": self.name,
            "tokenizer_sha256": tokenizer.sha256,
            "num_features": self.num_features,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Pool latents (B, C, h, w) over 2 x 2 quadrants: mean, then standard deviation."""
        latents = self.tokenizer.features(images).float()
        mean = F.adaptive_avg_pool2d(latents, self.QUADRANTS)
        square = F.adaptive_avg_pool2d(latents.square(), self.QUADRANTS)
        spread = (square - mean.square()).clamp(min=0).sqrt()
        return torch.cat([mean.flatten(1), spread.flatten(1)], dim=1)


class SqueezeNetFeatures(Extractor):
    """SqueezeNet 1.0 (ImageNet), the last activation averaged over the picture.

    Args:
        weights: torchvision's squeezenet1_0 state dict.
    """

    name = "squeezenet"
    num_features = 512

    def __init__(self, *, weights: str | Path) -> None:
        super().__init__()
        self.network = SqueezeNet.from_file(weights)
        self.protocol = {"extractor": self.name, "num_features": self.num_features, **file_protocol(Path(weights))}

    def forward(self, images: Tensor) -> Tensor:
        """Average the last activation."""
        return self.network.features(images)[-1].mean((2, 3))


def file_protocol(path: Path) -> dict[str, str]:
    """Return name and sha256 of a weights file."""
    return {"weights": path.name, "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
