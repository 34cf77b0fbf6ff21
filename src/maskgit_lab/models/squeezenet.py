"""torchvision's SqueezeNet 1.0 (Iandola et al. 2016) without its classifier, for perceptual distances and features."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from maskgit_lab.machine.tensor_file import load_tensors

# the weights were trained on BGR images of 0..255 minus this mean
MEAN_BGR = (104.0, 117.0, 123.0)
# layers whose activations `features` returns: the stem's ReLU, then the last fire module of each resolution and width
TAPS = (1, 4, 5, 8, 9, 10, 12)


class SqueezeNet(nn.Module):
    """The convolutional part with torchvision's parameter names (`features.N...`).

    Frozen and in evaluation mode; gradients reach the input only.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_0  # half a second of imports, only for those who have the weights

        # the order of channels last: pooling and products take three quarters of the time in it on a CPU, forward and backward
        self.layers = squeezenet1_0().features.to(memory_format=torch.channels_last)
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return activations [(B, C_i, h_i, w_i)] for RGB images (B, 3, H, W) in [0, 1], H and W at least 32; finest first."""
        x = (images.flip(1) * 255 - self.mean).contiguous(memory_format=torch.channels_last)
        taps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in TAPS:
                taps.append(x)
        return taps

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read torchvision's `squeezenet1_0` state dict; its classifier is ignored.

        Raise FileNotFoundError when there is no such file, ValueError when it holds something else.
        """
        path = Path(path)
        expected = "a torchvision squeezenet1_0 state dict (features.0.weight (96, 3, 7, 7), ..., features.12...)"
        if not path.is_file():
            raise FileNotFoundError(f"no SqueezeNet weights at {path}: expected {expected}, e.g. squeezenet1_0_imagenet.pth")
        net = cls()
        try:
            state = load_tensors(path, what=expected, remedy="Fetch it again", own=False)
            state = {k.replace("features.", "layers.", 1): v for k, v in state.items() if k.startswith("features.")}
            net.load_state_dict(state)
        except Exception as error:
            raise ValueError(f"{path} is not {expected}: {_first_line(error)}") from error
        return net


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
