"""LPIPS (Zhang et al. 2018) with torchmetrics' channel weights, when those of its network are available."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.evaluation.features import file_protocol
from maskgit_lab.machine.tensor_file import load_tensors

# torchvision's file of each network, which torchmetrics loads from torch's hub folder
FILES = {"squeeze": "squeezenet1_1-b8a52dc0.pth", "alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
# torchmetrics divides the network into slices: slices.1.3.squeeze.weight or slice2.3.weight is features.3....
SLICE = re.compile(r"^(slices\.\d+|slice\d+)\.")


class PerceptualSimilarity(nn.Module):
    """LPIPS of pairs of images."""

    def __init__(self, network: nn.Module, protocol: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.protocol = protocol  # plain values: which network, and from which file

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        """Return the distance of each pair (B,), of images (B, 3, H, W) in [0, 1]; float32 without TF32, no gradients."""
        with torch.no_grad(), exact_float32():
            distance: Tensor = self.network(images, truth, normalize=True)
        return distance.flatten()


def build_lpips(net: str, weights: str | Path | None = None) -> PerceptualSimilarity:
    """Load LPIPS.

    Args:
        net: squeeze, alex or vgg.
        weights: torchvision's state dict of that network; None = from torch's hub folder, else its download.

    Returns:
        The measure.

    Raises:
        ValueError: another name, or a file of another network.
        FileNotFoundError: when there is no such file, or none in torch's hub folder and no network; the message says which file to
            put where.
    """
    if net not in FILES:
        raise ValueError(f"lpips must be one of {', '.join(FILES)} or null, got {net!r}")
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    network: Any = net
    if weights is not None:
        path = Path(weights).expanduser()
        made = _NoTrainLpips(net=network, pnet_rand=True)
        _fill(made.net, path, net)
        return PerceptualSimilarity(made, {"lpips": net, **{f"lpips_{key}": value for key, value in file_protocol(path).items()}})
    try:
        return PerceptualSimilarity(_NoTrainLpips(net=network), {"lpips": net, "lpips_weights": FILES[net]})
    except OSError as error:  # URLError too
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise FileNotFoundError(
            f"lpips={net} needs torchvision's {FILES[net]} in {folder}: {error}. Put it there, name it in lpips_weights, "
            "or leave lpips=null"
        ) from error


def _fill(network: nn.Module, path: Path, net: str) -> None:
    """Load torchvision's weights into torchmetrics' slices of the network."""
    if not path.is_file():
        raise FileNotFoundError(f"lpips_weights: no file {path}; lpips={net} needs torchvision's {FILES[net]}")
    there = load_tensors(path, what=f"torchvision's {FILES[net]}", remedy="Fetch it again", own=False)
    try:
        network.load_state_dict({name: there[SLICE.sub("features.", name)] for name in network.state_dict()})
    except (KeyError, TypeError, RuntimeError) as error:  # of another network: other names or shapes
        raise ValueError(f"lpips_weights: {path} is not torchvision's {FILES[net]}, which lpips={net} needs") from error
