"""What fills squares, as the rest of this folder sees it."""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, eq=False)
class SquaresNow:
    """What some squares of one candidate are after a pass of decoding."""

    part: slice  # which of the squares that were given
    sample: int  # the candidate
    number: int  # of the pass, from 1
    of: int  # passes; an adaptive policy may need fewer
    step: int | None  # from 1, the step that this pass ends; None of a pass that is taken again later
    hidden: np.ndarray  # (b, grid, grid) bool: tokens that are still hidden
    confidence: np.ndarray  # (b, grid, grid) float32: probability of each token when it was last chosen, 1 for known ones
    decoded: Callable[[], np.ndarray]  # decodes what is predicted now: (b, R, R, 3) uint8


WatchSquares = Callable[[SquaresNow], None]


class FillSquares(Protocol):
    """Fills squares at its resolution."""

    def __call__(
        self,
        images: np.ndarray,
        holes: np.ndarray,
        numbers: Sequence[int],
        *,
        first_sample: int,
        num_samples: int,
        watch: WatchSquares | None,
    ) -> list[FilledSquares]:
        """Fill a batch: uint8 (B, R, R, 3), bool (B, R, R); `numbers` choose the noise; one result for each sample."""


def joined(batches: Sequence[FilledSquares]) -> FilledSquares:
    """Return batches of squares as one."""
    if len(batches) == 1:
        return batches[0]
    return FilledSquares(
        decoded=np.concatenate([made.decoded for made in batches]),
        confidence=np.concatenate([made.confidence for made in batches]),
        step_images=np.concatenate([made.step_images for made in batches], 1),
        step_masks=np.concatenate([made.step_masks for made in batches], 1),
    )
