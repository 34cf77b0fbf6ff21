"""SqueezeNet 1.0 (Iandola et al. 2016) without its classifier, for perceptual distances and features.

It is written here, not taken from torchvision, so that a perceptual loss needs no package beyond torch and no download.
"""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

# the weights were trained on BGR pictures of 0..255 minus this mean
MEAN_BGR = (104.0, 117.0, 123.0)
# index in `features` and (squeeze, expand) widths of the fire modules; 2, 6 and 11 are max pools
FIRES = {3: (16, 64), 4: (16, 64), 5: (32, 128), 7: (32, 128), 8: (48, 192), 9: (48, 192), 10: (64, 256), 12: (64, 256)}
STEM_WIDTH = 96
# activations that `features` returns: the stem's ReLU, then the last one of each resolution and width
TAPS = (1, 4, 5, 8, 9, 10, 12)


class Fire(nn.Module):
    """Squeeze to few channels, expand with 1x1 and 3x3 filters side by side."""

    def __init__(self, *, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, h, w) to (B, 2 * expand, h, w)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], dim=1)


class SqueezeNet(nn.Module):
    """The convolutional part of SqueezeNet 1.0 with torchvision's parameter names (`features.N...`).

    Frozen and in evaluation mode; gradients reach the input only.
    """

    channels: tuple[int, ...] = tuple(STEM_WIDTH if i == 1 else 2 * FIRES[i][1] for i in TAPS)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, STEM_WIDTH, 7, stride=2), nn.ReLU(), _pool()]
        width = STEM_WIDTH
        while len(layers) <= max(FIRES):
            if len(layers) not in FIRES:
                layers.append(_pool())
                continue
            squeeze, expand = FIRES[len(layers)]
            layers.append(Fire(in_channels=width, squeeze=squeeze, expand=expand))
            width = 2 * expand
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return activations [(B, C_i, h_i, w_i)] for RGB images (B, 3, H, W) in [0, 1], H and W at least 32; finest first."""
        x = images.flip(1) * 255 - self.mean
        taps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in TAPS:
                taps.append(x)
        return taps

    def forward(self, images: Tensor) -> list[Tensor]:
        """Same as `features`."""
        return self.features(images)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read torchvision's `squeezenet1_0` state dict; its classifier is ignored.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it holds something else.
        """
        path = Path(path)
        expected = "a torchvision squeezenet1_0 state dict (features.0.weight (96, 3, 7, 7), ..., features.12...)"
        if not path.is_file():
            raise FileNotFoundError(
                f"no SqueezeNet weights at {path}: expected {expected}, e.g. squeezenet1_0_imagenet.pth"
            )
        net = cls()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = {k.replace("features.", "layers.", 1): v for k, v in state.items() if k.startswith("features.")}
            net.load_state_dict(state)
        except Exception as error:
            raise ValueError(f"{path} is not {expected}: {_first_line(error)}") from error
        return net


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
