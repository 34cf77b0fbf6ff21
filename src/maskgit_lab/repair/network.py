"""What fills squares, as the rest of this folder sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class FilledSquares:
    """What the network made of a batch of squares: one candidate for each."""

    decoded: np.ndarray  # (B, R, R, 3) uint8: the decoder's whole output
    confidence: np.ndarray  # (B, grid, grid) float32: probability of each token when it was chosen, 1 for known ones
    step_images: np.ndarray  # (S, B, R, R, 3) uint8; S = 0 without steps
    step_masks: np.ndarray  # (S, B, grid, grid) bool: tokens still hidden after each step


class FillSquares(Protocol):
    """Fills squares at its resolution."""

    def __call__(
        self, images: np.ndarray, holes: np.ndarray, numbers: Sequence[int], *, first_sample: int, num_samples: int
    ) -> list[FilledSquares]:
        """Fill a batch: uint8 (B, R, R, 3), bool (B, R, R); `numbers` choose the noise; one result for each sample."""
