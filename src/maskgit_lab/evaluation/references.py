"""Outputs that need no trained model: floor and ceiling, so that a reader sees what share of a score is the model's."""

import numpy as np
import torch
from torchmetrics import Metric

from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.fills import composite, diffusion_fill, grey_fill
from maskgit_lab.evaluation.output_scores import OutputScores
from maskgit_lab.evaluation.truth import Truth
from maskgit_lab.models.filling import to_uint8
from maskgit_lab.models.tokenizer import FrozenTokenizer

OTHER_REAL = "other real pictures"


def reference_outputs(
    test: InpaintSet, *, tokenizer: FrozenTokenizer | None, others: np.ndarray | None, batch_size: int
) -> dict[str, np.ndarray]:
    """Return pictures by name, each (n, H, W, 3) uint8.

    Args:
        test: pictures with holes and, for the reconstruction, their truth.
        tokenizer: None leaves the reconstruction out.
        others: real pictures that are not in the test, for the distance that real pictures have; None leaves them out.
        batch_size: pictures at once.
    """
    outputs = {
        "grey fill": grey_fill(test.images, test.holes),
        "diffusion fill": diffusion_fill(test.images, test.holes),
    }
    if tokenizer is not None and test.truth is not None:
        decoded = reconstruct(tokenizer, test.truth, batch_size=batch_size)
        outputs["VQGAN reconstruction, decoded"] = decoded
        outputs["VQGAN reconstruction, composited"] = composite(decoded, test.truth, test.holes)
    if others is not None:
        outputs[OTHER_REAL] = np.array(others[: len(test)])
    return outputs


def reconstruct(tokenizer: FrozenTokenizer, images: np.ndarray, *, batch_size: int) -> np.ndarray:
    """Return pictures uint8 (n, H, W, 3) after encoding and decoding."""
    out = np.empty_like(images)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        tokens = tokenizer.encode(torch.from_numpy(np.array(images[part])))
        out[part] = to_uint8(tokenizer.decode(tokens)).cpu().numpy()
    return out


def score_outputs(
    pictures: np.ndarray, truth: Truth, *, batch_size: int, paired: bool = True, lpips: Metric | None = None,
    device: str = "cpu",
) -> dict[str, float]:  # fmt: skip
    """Return the scores of a whole set of pictures uint8 (n, H, W, 3); see OutputScores."""
    scores = OutputScores(truth, paired=paired, lpips=lpips, device=device)
    for start in range(0, len(pictures), batch_size):
        part = slice(start, min(start + batch_size, len(pictures)))
        scores.add(torch.from_numpy(np.array(pictures[part])), part)
    return scores.compute()
