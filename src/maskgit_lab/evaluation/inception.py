"""ImageNet's Inception v3 (Szegedy et al. 2016) up to a middle layer, for distances when the 2015 FID weights are not available.

The blocks are torch-fidelity's: torchvision's architecture and parameter names, with average pools that leave padding out.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD

from maskgit_lab.machine.tensor_file import load_tensors

INPUT_SIZE = 299
# layer at which the features are taken -> its channels
CUTS = {"mixed_6e": 768, "mixed_7a": 1280}


class TruncatedInception(nn.Sequential):
    """Inception v3 from the image to `cut`, frozen and always in evaluation mode.

    Args:
        cut: last layer, `mixed_6e` (768 channels of 17x17) or `mixed_7a` (1280 of 8x8).

    Raises:
        ValueError: when `cut` names another layer.
    """

    def __init__(self, *, cut: str) -> None:
        if cut not in CUTS:
            raise ValueError(f"metrics.extractor.cut must be one of {', '.join(CUTS)}, got {cut!r}")
        names = list(layers := _layers())
        last = names.index(cut.capitalize())
        super().__init__(OrderedDict((name, layers[name]) for name in names[: last + 1]))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: a measurement must not depend on the batch."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, 299, 299) in [-1, 1] to activations (B, C, h, w)."""
        return super().forward(images.contiguous(memory_format=torch.channels_last))

    def fold_batch_norms(self) -> Self:
        """Put every batch norm into its convolution, in place: the same numbers to rounding, in two thirds of the time on a CPU."""
        for module in self.modules():
            if isinstance(module, BasicConv2d):
                module.conv = fuse_conv_bn_eval(module.conv, module.bn)
                module.bn = nn.Identity()
        return self.to(memory_format=torch.channels_last)

    @classmethod
    def from_file(cls, path: str | Path, *, cut: str) -> Self:
        """Read torchvision's `inception_v3` state dict, whole or up to the cut; convolutions may be in half precision.

        Args:
            path: the file.
            cut: last layer, see the class.

        Returns:
            The network.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it holds something else.
        """
        path = Path(path)
        expected = f"a torchvision inception_v3 state dict up to {cut.capitalize()}"
        if not path.is_file():
            raise FileNotFoundError(f"no Inception weights at {path} (metrics.extractor.weights): expected {expected}")
        net = cls(cut=cut)
        try:
            state = load_tensors(path, what=expected, remedy="Fetch it again", own=False)
            wanted = {name for name, _ in net.named_children()}
            net.load_state_dict({k: v.float() for k, v in state.items() if k.split(".")[0] in wanted})
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path} (metrics.extractor.weights) is not {expected}: {reason}") from error
        return net


def _layers() -> dict[str, nn.Module]:
    return {
        "Conv2d_1a_3x3": BasicConv2d(3, 32, kernel_size=3, stride=2),
        "Conv2d_2a_3x3": BasicConv2d(32, 32, kernel_size=3),
        "Conv2d_2b_3x3": BasicConv2d(32, 64, kernel_size=3, padding=1),
        "maxpool1": nn.MaxPool2d(3, stride=2),
        "Conv2d_3b_1x1": BasicConv2d(64, 80, kernel_size=1),
        "Conv2d_4a_3x3": BasicConv2d(80, 192, kernel_size=3),
        "maxpool2": nn.MaxPool2d(3, stride=2),
        "Mixed_5b": InceptionA(192, pool_features=32),
        "Mixed_5c": InceptionA(256, pool_features=64),
        "Mixed_5d": InceptionA(288, pool_features=64),
        "Mixed_6a": InceptionB(288),
        "Mixed_6b": InceptionC(768, channels_7x7=128),
        "Mixed_6c": InceptionC(768, channels_7x7=160),
        "Mixed_6d": InceptionC(768, channels_7x7=160),
        "Mixed_6e": InceptionC(768, channels_7x7=192),
        "Mixed_7a": InceptionD(768),
    }
