"""Feature extractors for distances between sets of images: each says what it is, and so does a score made with it."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

from maskgit_lab.evaluation.inception import CUTS, INPUT_SIZE, TruncatedInception
from maskgit_lab.models.squeezenet import SqueezeNet
from maskgit_lab.models.tokenizer import FrozenTokenizer

INCEPTION_2015_URL = URL_INCEPTION_V3  # torch-fidelity's copy of pytorch-fid's file
INCEPTION_2015_SHA256 = "6726825d"  # the start of it, as file names of this kind carry it
INCEPTION_2015_REMEDY = (
    "Put pt_inception-2015-12-05-6726825d.pth (pytorch-fid's release fid_weights, 91 MB) anywhere and name it in "
    "metrics.extractor.weights, or choose metrics=tokenizer, which needs no file"
)


class Extractor(nn.Module, ABC):
    """Images to one feature vector each."""

    name: str  # used in metric names, `fd_<name>`
    num_features: int  # d
    protocol: dict[str, Any]  # plain values that tell one measurement from another: file, sha256, layer, resize

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return features (B, d) float32 of images (B, 3, H, W) in [0, 1]."""


class TokenizerFeatures(Extractor):
    """Mean and spread of the frozen tokenizer's latents over each quadrant of the image: no download, for the embedded data.

    The tokenizer that paints the fills also judges them, so the distance says little about the tokenizer itself.
    """

    name = "tokenizer"
    QUADRANTS = 2

    def __init__(self, *, tokenizer: FrozenTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer  # a plain object: stays out of the metric's state
        latent_dim = tokenizer.model.arguments["latent_dim"]
        self.num_features = 2 * latent_dim * self.QUADRANTS**2
        self.protocol = {"extractor": self.name, "tokenizer_sha256": tokenizer.sha256, "num_features": self.num_features}

    def forward(self, images: Tensor) -> Tensor:
        """Pool latents (B, C, h, w) over 2 x 2 quadrants: mean, then standard deviation."""
        latents = self.tokenizer.features(images).float()
        mean = F.adaptive_avg_pool2d(latents, self.QUADRANTS)
        square = F.adaptive_avg_pool2d(latents.square(), self.QUADRANTS)
        spread = (square - mean.square()).clamp(min=0).sqrt()
        return torch.cat([mean.flatten(1), spread.flatten(1)], dim=1)


class InceptionImagenet(Extractor):
    """ImageNet's Inception v3, a middle layer averaged over the image: `fd_inception_imagenet`, never `fid`.

    On the lab's 747 test pairs grey-filled images score 0.607 against their truths at `mixed_6e` (antialias does not
    matter when 64 pixels are enlarged to 299), other real images about 0.13.

    Args:
        weights: torchvision's inception_v3 state dict, at least up to Mixed_7a.
        cut: `mixed_6e` (768-d) or `mixed_7a` (1280-d).
        antialias: of the bilinear resize to 299 pixels; matters for images larger than that.
    """

    name = "inception_imagenet"

    def __init__(self, *, weights: str | Path, cut: str = "mixed_6e", antialias: bool = True) -> None:
        super().__init__()
        self.network = TruncatedInception.from_file(weights, cut=cut).fold_batch_norms()
        self.antialias = antialias
        self.num_features = CUTS[cut]
        self.protocol = {
            "extractor": self.name,
            "cut": cut,
            "num_features": self.num_features,
            "resize": f"bilinear to {INPUT_SIZE}",
            "antialias": antialias,
            **file_protocol(Path(weights)),
        }

    def forward(self, images: Tensor) -> Tensor:
        """Resize, scale to [-1, 1], average the layer over the image."""
        size = (INPUT_SIZE, INPUT_SIZE)
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=self.antialias)
        return self.network(2 * images - 1).mean((2, 3))


class SqueezeNetFeatures(Extractor):
    """SqueezeNet 1.0 (ImageNet), the last activation averaged over the image.

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


class Inception2015(Extractor):
    """The Inception of 2015 behind every published FID, 2048-d, as torchmetrics runs it: `fid`.

    Args:
        weights: a local copy of the weights; None = torch-fidelity's cache, else its download.
        antialias: how to resize to 299 pixels. True, torchmetrics' default: pixel centres aligned, which for smaller images
            is also what pytorch-fid does; False: TensorFlow 1's resize, whose corners differ, as torch-fidelity does.

    Raises:
        FileNotFoundError: when the file is missing, or there is none in the cache and no network.
        ValueError: when the file is not those weights.
    """

    name = "inception"
    num_features = 2048

    def __init__(self, *, weights: str | Path | None = None, antialias: bool = True) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        super().__init__()
        path = _cached_inception_2015() if weights is None else Path(weights)
        if not path.is_file():
            raise FileNotFoundError(f"no Inception weights at {path}. {INCEPTION_2015_REMEDY}")
        origin = file_protocol(path)
        if not origin["weights_sha256"].startswith(INCEPTION_2015_SHA256):
            raise ValueError(
                f"{path} is not the Inception of 2015: its sha256 starts with {origin['weights_sha256'][:8]}, "
                f"not {INCEPTION_2015_SHA256}. {INCEPTION_2015_REMEDY}"
            )
        network = NoTrainInceptionV3(
            name="inception-v3-compat", features_list=["2048"], feature_extractor_weights_path=str(path), antialias=antialias
        )
        self.network = network.requires_grad_(False).eval()
        resize = "bilinear to 299" if antialias else "bilinear to 299 as TensorFlow 1"
        self.protocol = {"extractor": self.name, "num_features": self.num_features, "resize": resize, "antialias": antialias}
        self.protocol |= origin

    def forward(self, images: Tensor) -> Tensor:
        """Round to 8 bits, because the images of published scores were files."""
        return self.network((images * 255).round().clamp(0, 255).to(torch.uint8)).float()


inception_2015 = Inception2015  # what configurations call it


def _cached_inception_2015() -> Path:
    """Return torch-fidelity's copy of the weights, downloaded when it is not there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(INCEPTION_2015_URL).name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(INCEPTION_2015_URL, str(path), progress=False)  # writes it whole or not at all
    except OSError as error:  # URLError too
        raise FileNotFoundError(f"cannot download {INCEPTION_2015_URL}: {error}. {INCEPTION_2015_REMEDY}") from error
    return path


def file_protocol(path: Path) -> dict[str, str]:
    """Return name and sha256 of a weights file."""
    return {"weights": path.name, "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
