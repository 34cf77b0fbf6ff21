"""Pixels of images with holes: the grey of a hole, known pixels put back, and 8 bits for what networks make in [0, 1]."""

import torch
from torch import Tensor

HOLE_GREY = 128  # what the pixels of a hole are set to before anything reads them (lab protocol)


def to_uint8(images: Tensor) -> Tensor:
    """Turn float images in [0, 1] (B, 3, H, W) into uint8 (B, H, W, 3)."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def composite(filled: Tensor, images: Tensor, holes: Tensor) -> Tensor:
    """Take the hole from `filled` and everything else from `images`, both uint8 (B, H, W, 3); holes (B, H, W) bool."""
    return torch.where(holes[..., None], filled, images)
