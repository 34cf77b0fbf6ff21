"""PatchGAN discriminator and adversarial losses (Isola et al. 2017; Esser et al. 2021, eq. 6 and 7), and what keeps it calm."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INIT_STD = 0.02
MAX_WIDTH_FACTOR = 8
NORMALISATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "group": lambda width: nn.GroupNorm(min(8, width), width),
}
# lab protocol: 0.8 * clamp(|grad rec| / (|grad gan| + 1e-4), 0, 1e4)
ADAPTIVE_EPS = 1e-4
ADAPTIVE_MAX = 1e4


class PatchDiscriminator(nn.Module):
    """Judge overlapping patches: one logit each, high for real.

    Args:
        image_channels: 3.
        num_filters: width of the first layer; doubled per layer up to 8 times.
        num_layers: layers with stride 2 (3: patches of 70 pixels).
        normalisation: batch (the lab) or group; with group an image's logits do not depend on its batch.

    Raises:
        ValueError: when `normalisation` is something else.
    """

    def __init__(
        self, *, image_channels: int = 3, num_filters: int = 64, num_layers: int = 3, normalisation: str = "batch"
    ) -> None:
        super().__init__()
        if normalisation not in NORMALISATIONS:
            raise ValueError(f"discriminator.normalisation must be one of {', '.join(NORMALISATIONS)}, got {normalisation!r}")
        layers: list[nn.Module] = [nn.Conv2d(image_channels, num_filters, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = num_filters
        for layer in range(1, num_layers + 1):
            wider = num_filters * min(2**layer, MAX_WIDTH_FACTOR)
            stride = 2 if layer < num_layers else 1
            # no bias: the normalisation takes it out again
            layers += [nn.Conv2d(width, wider, 4, stride=stride, padding=1, bias=False), NORMALISATIONS[normalisation](wider)]
            layers.append(nn.LeakyReLU(0.2))
            width = wider
        layers.append(nn.Conv2d(width, 1, 4, padding=1))
        self.model = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 1, h, w) of normalised images (B, 3, H, W)."""
        return self.model(images)


def discriminator_hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the hinge loss of a discriminator from its logits on real and on reconstructed images."""
    return 0.5 * (F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean())


def generator_hinge_loss(fake: Tensor) -> Tensor:
    """Return the loss that raises the discriminator's logits on reconstructions."""
    return -fake.float().mean()


def lecam_penalty(real: Tensor, fake: Tensor, *, mean_real: Tensor, mean_fake: Tensor) -> Tensor:
    """Return how far logits are from the running mean of the other kind (Tseng et al. 2021, eq. 4): it keeps both close.

    Of logits on real and made images, and the scalar means of earlier ones.
    """
    return (real.float() - mean_fake).square().mean() + (fake.float() - mean_real).square().mean()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Return half the mean squared norm of the logits' gradient at real images (Mescheder et al. 2018, R1).

    `images` (B, C, H, W) require gradients, and each image's mean logit counts.
    """
    (slope,) = torch.autograd.grad(logits.float().reshape(len(images), -1).mean(1).sum(), images, create_graph=True)
    return 0.5 * slope.square().sum((1, 2, 3)).mean()


def adaptive_weight(reconstruction_loss: Tensor, gan_loss: Tensor, last_layer: Tensor, *, scale: float = 0.8) -> Tensor:
    """Return the weight that makes both losses pull equally hard on the decoder's last layer (Esser et al. 2021, eq. 7).

    A scalar without gradient, of two scalars whose graphs are kept and the weight of the decoder's last convolution. `scale`: the
    share of the reconstruction's pull (lab protocol: 0.8).
    """
    (rec,) = torch.autograd.grad(reconstruction_loss, last_layer, retain_graph=True)
    (gan,) = torch.autograd.grad(gan_loss, last_layer, retain_graph=True)
    return scale * (rec.norm() / (gan.norm() + ADAPTIVE_EPS)).clamp(0, ADAPTIVE_MAX).detach()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, INIT_STD)
        nn.init.zeros_(module.bias)
