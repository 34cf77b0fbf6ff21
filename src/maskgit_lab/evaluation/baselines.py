"""Outputs that need no trained model, floors and ceilings: they show what share of a score is the model's."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.data.image_set import InpaintSet, paint_holes, slices
from maskgit_lab.evaluation.output_scores import OutputScores
from maskgit_lab.evaluation.rulers import PLAIN, Rulers
from maskgit_lab.evaluation.telea import telea_fill
from maskgit_lab.evaluation.truth import Truth
from maskgit_lab.models.frozen_decoder import FrozenDecoder, decoded_pixels
from maskgit_lab.models.tokenizer import FrozenTokenizer

# sweeps per level; after the coarser levels they reach one grey level in closed holes, one on average in a half-hidden image
SWEEPS = 48
OTHER_REAL = "other real pictures"


def diffusion_fill(images: np.ndarray, holes: np.ndarray, *, batch_size: int = 32) -> np.ndarray:
    """Fill holes with the smoothest surface between the known pixels (Laplace's equation), the classical fill.

    Args:
        images: (n, H, W, 3) uint8; pixels under the holes have no influence.
        holes: (n, H, W) bool. An image that is all hole becomes grey.
        batch_size: images at once.

    Returns:
        (n, H, W, 3) uint8, known pixels untouched.
    """
    filled = np.array(images)
    for part in slices(len(images), batch_size):
        pixels = torch.from_numpy(np.array(images[part])).permute(0, 3, 1, 2).float()
        known = torch.from_numpy(~holes[part])[:, None].float()
        smooth = _solve(pixels * known, known).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy()
        filled[part] = np.where(holes[part, ..., None], smooth, images[part])
    return filled


def _solve(pixels: Tensor, known: Tensor) -> Tensor:
    """Solve from the coarsest level to the finest; `pixels` (B, 3, H, W) is 0 where `known` (B, 1, H, W) is 0."""
    height, width = pixels.shape[-2:]
    if min(height, width) <= 2:
        total = known.sum((2, 3), keepdim=True)
        mean = pixels.sum((2, 3), keepdim=True) / total.clamp(min=1)
        return torch.where(known > 0, pixels, torch.where(total > 0, mean, torch.full_like(mean, float(HOLE_GREY))))
    weight = F.avg_pool2d(known, 2, ceil_mode=True)
    coarse = F.avg_pool2d(pixels, 2, ceil_mode=True) / weight.clamp(min=1e-6)
    coarse = _solve(coarse * (weight > 0), (weight > 0).float())
    surface = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    surface = torch.where(known > 0, pixels, surface)
    return _relax(surface, known)


def _relax(surface: Tensor, known: Tensor) -> Tensor:
    """Pull unknown pixels towards the mean of their neighbours: successive over-relaxation in chessboard order."""
    height, width = surface.shape[-2:]
    over = 2 / (1 + math.sin(math.pi / max(height, width)))  # Young's optimum for a square of this size
    chessboard = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    step = over * (1 - known)
    steps = (step * chessboard, step * (1 - chessboard))
    for _ in range(SWEEPS):
        for step in steps:
            padded = F.pad(surface, (1, 1, 1, 1), mode="replicate")
            neighbours = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
            surface = surface.addcmul(step, neighbours / 4 - surface)
    return surface


def reference_outputs(
    test: InpaintSet,
    *,
    tokenizer: FrozenTokenizer | None,
    others: np.ndarray | None,
    batch_size: int,
    telea: bool = False,
    decoder: FrozenDecoder | None = None,
) -> dict[str, np.ndarray]:
    """Make the outputs that need no trained model.

    Args:
        test: images with holes and, for the reconstruction, their truth.
        tokenizer: None leaves the reconstruction out.
        others: real images that are not in the test, for the distance that real images have; None leaves them out.
        batch_size: images at once.
        telea: with Telea's fill, which needs OpenCV.
        decoder: None leaves the reconstruction by a conditional decoder out.

    Returns:
        Images by name, each (n, H, W, 3) uint8.
    """
    outputs = {"grey fill": paint_holes(test.images, test.holes), "diffusion fill": diffusion_fill(test.images, test.holes)}
    if telea:
        outputs["Telea fill"] = telea_fill(test.images, test.holes)
    if tokenizer is not None and test.truth is not None:
        decoded = reconstruct(tokenizer, test.truth, batch_size=batch_size)
        outputs["VQGAN reconstruction, decoded"] = decoded
        outputs["VQGAN reconstruction, composited"] = np.where(test.holes[..., None], decoded, test.truth)
        if decoder is not None:
            given = reconstruct(tokenizer, test.truth, batch_size=batch_size, decoder=decoder, holes=test.holes)
            outputs["VQGAN reconstruction, known pixels given"] = given
            outputs["VQGAN reconstruction, known pixels given, composited"] = np.where(test.holes[..., None], given, test.truth)
    if others is not None:
        outputs[OTHER_REAL] = np.array(others[: len(test)])
    return outputs


def reconstruct(
    tokenizer: FrozenTokenizer,
    images: np.ndarray,
    *,
    batch_size: int,
    decoder: FrozenDecoder | None = None,
    holes: np.ndarray | None = None,
) -> np.ndarray:
    """Return images uint8 (n, H, W, 3) after encoding and decoding; `decoder` sees the pixels outside `holes` (n, H, W) bool."""
    holes = np.ones(images.shape[:3], dtype=bool) if holes is None else holes
    out = np.empty_like(images)
    for part in slices(len(images), batch_size):
        given, hidden = (torch.from_numpy(np.array(array[part])) for array in (images, holes))
        out[part] = decoded_pixels(tokenizer, decoder, tokenizer.encode(given), given, hidden).cpu().numpy()
    return out


def measured(
    images: np.ndarray, truth: Truth, *, batch_size: int, paired: bool = True, rulers: Rulers = PLAIN, device: str = "cpu"
) -> OutputScores:
    """Measure a whole set of images uint8 (n, H, W, 3); see OutputScores."""
    scores = OutputScores(truth, paired=paired, rulers=rulers, device=device)
    for part in slices(len(images), batch_size):
        scores.add(torch.from_numpy(np.array(images[part])), part)
    return scores


def score_outputs(
    images: np.ndarray, truth: Truth, *, batch_size: int, paired: bool = True, rulers: Rulers = PLAIN, device: str = "cpu"
) -> dict[str, float]:
    """Return the scores of a whole set of images; arguments as `measured`."""
    return measured(images, truth, batch_size=batch_size, paired=paired, rulers=rulers, device=device).compute()
