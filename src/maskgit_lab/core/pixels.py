"""Pixels of images with holes: the grey of a hole, known pixels put back, and 8 bits for what networks make in [0, 1]."""

import torch
from torch import Tensor
from torch.nn import functional as F

HOLE_GREY = 128  # what the pixels of a hole are set to before anything reads them (lab protocol)
LARGEST_BLEND = 256  # pixels; each is a pass over the images


def to_uint8(images: Tensor) -> Tensor:
    """Turn float images in [0, 1] (B, 3, H, W) into uint8 (B, H, W, 3)."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def composite(filled: Tensor, images: Tensor, holes: Tensor, *, blend: int = 0) -> Tensor:
    """Take the hole from `filled` and everything else from `images`.

    Args:
        filled: (B, H, W, 3) uint8, the whole image as a network made it.
        images: (B, H, W, 3) uint8.
        holes: (B, H, W) bool, True = hole.
        blend: `decode.mask_blend_pixels`, the width of the rim of the hole over which the image goes over into the fill: there
            the fill is moved by the difference that it has to the known pixels beside the hole, less with every pixel inwards.

    Returns:
        (B, H, W, 3) uint8; pixels outside the hole are those of `images`, whatever `blend` is.
    """
    if blend:
        filled = _moved_to_rim(filled, images, ~holes, blend)
    return torch.where(holes[..., None], filled, images)


def _moved_to_rim(filled: Tensor, images: Tensor, known: Tensor, width: int) -> Tensor:
    """Return `filled` with its error at the known pixels (B, H, W) carried into the hole and faded over `width` pixels."""
    reached = known[:, None].float()  # (B, 1, H, W): where an error is known by now
    own = filled.permute(0, 3, 1, 2).float()
    error = (images.permute(0, 3, 1, 2).float() - own) * reached
    change = torch.zeros_like(error)
    for ring in range(1, width + 1):
        # the mean over the neighbours that have been reached; 9 is the window that both averages share
        count = 9 * F.avg_pool2d(reached, 3, stride=1, padding=1)
        carried = 9 * F.avg_pool2d(error, 3, stride=1, padding=1) / count.clamp(min=1)
        new = (count > 0.5) & (reached == 0)
        error = torch.where(new, carried, error)
        change = torch.where(new, carried * (1 - ring / (width + 1)), change)
        reached = reached + new
    return (own + change).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
