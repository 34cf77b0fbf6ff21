"""Differentiable augmentation for a discriminator (Zhao et al. 2020, DiffAugment): what it sees is changed, real and made alike.

With few images a discriminator learns them by heart; changed ones it cannot. Gradients pass through to the images.
"""

import torch
from torch import Tensor

SHIFT = 8  # images are moved by at most 1 / SHIFT of their side
CUT = 2  # a box of 1 / CUT of the side is taken out


def diff_augment(images: Tensor, noise: torch.Generator) -> Tensor:
    """Change brightness, saturation and contrast, move, and cut out a box, differently for each image.

    Args:
        images: (B, C, H, W), normalised to about [-1, 1].
        noise: on the CPU; all that is drawn.

    Returns:
        (B, C, H, W); what moves in and what is cut out is 0.
    """
    count, _, height, width = images.shape
    amounts = torch.rand(7, count, generator=noise)
    brightness, saturation, contrast = amounts[:3].to(images)[:, :, None, None, None]
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, 2 * saturation)
    level = images.mean((1, 2, 3), keepdim=True)
    images = torch.lerp(level, images, contrast + 0.5)
    down, right = (_whole(amounts[k], 2 * (side // SHIFT) + 1) for k, side in ((3, height), (4, width)))
    images = _moved(images, down.tolist(), right.tolist())
    top, left = (_whole(amounts[k], side) for k, side in ((5, height), (6, width)))
    rows, columns = (_cut(start, side).to(images.device) for start, side in ((top, height), (left, width)))
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _whole(amounts: Tensor, count: int) -> Tensor:
    """Turn numbers in [0, 1) into 0 ... count - 1."""
    return (amounts * count).long().clamp(max=count - 1)


def _moved(images: Tensor, down: list[int], right: list[int]) -> Tensor:
    height, width = images.shape[-2:]
    across, along = width // SHIFT, height // SHIFT
    padded = torch.nn.functional.pad(images, (across, across, along, along))
    return torch.stack([p[:, y : y + height, x : x + width] for p, y, x in zip(padded, down, right, strict=True)])


def _cut(middle: Tensor, side: int) -> Tensor:
    """Return (B, side) bool: the positions of a box around each middle, cut at the border."""
    half = side // CUT / 2
    places = torch.arange(side)
    return (places >= middle[:, None] - half) & (places < middle[:, None] + half)
