"""LPIPS by torchmetrics, when the weights of its network are available."""

from pathlib import Path
from typing import Any

import torch
from torchmetrics import Metric

# torchvision's file of each network, which torchmetrics loads from torch's hub folder
FILES = {"squeeze": "squeezenet1_1-b8a52dc0.pth", "alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}


def build_lpips(net: str) -> Metric:
    """Load torchmetrics' LPIPS for images in [0, 1].

    Args:
        net: squeeze, alex or vgg.

    Returns:
        The metric.

    Raises:
        ValueError: another name.
        FileNotFoundError: when the weights are not in torch's hub folder and cannot be downloaded; the message says which file
            to put where.
    """
    if net not in FILES:
        raise ValueError(f"lpips must be one of {', '.join(FILES)} or null, got {net!r}")
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network: Any = net
    try:
        return LearnedPerceptualImagePatchSimilarity(net_type=network, normalize=True, reduction="mean")
    except OSError as error:  # URLError too
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise FileNotFoundError(
            f"lpips={net} needs torchvision's {FILES[net]} in {folder}: {error}. Put it there, or leave lpips=null"
        ) from error
