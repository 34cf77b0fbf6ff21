"""What a fill looks like after each of its steps, decoded once for everybody who asks."""

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.evaluation.fill_set import Filler


class StepImages:
    """The images of a batch after each step of each candidate.

    Args:
        filler: decodes.
        images: (B, H, W, 3) uint8, as given.
        holes: (B, H, W) bool.
    """

    def __init__(self, filler: Filler, images: Tensor, holes: Tensor) -> None:
        self._filler, self._images, self._holes = filler, images, holes
        self._made: dict[tuple[int, int | None], tuple[Tensor, np.ndarray]] = {}

    def of(self, sample: int, step: int | None, tokens: Tensor) -> np.ndarray:
        """Return (B, H, W, 3) uint8 of the tokens (B, N) of a candidate after a step; the last ones of each step are remembered."""
        known = self._made.get((sample, step))
        if known is None or not torch.equal(known[0], tokens):
            known = tokens, self._filler.pixels(tokens, self._images, self._holes).cpu().numpy()
            self._made[sample, step] = known
        return known[1]
