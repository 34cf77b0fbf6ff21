"""Two ways of doing the same work, timed in turns in one process, and the rate of the machine's matrix products beside them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

# sides of the square product that gives the matrix rate; the last is large enough to reach it
RATE_SIDES = (256, 512, 1024, 2048)
RATE_SECONDS = 0.2  # a product that would take longer is not tried: where bf16 is slow, the last takes ten
RATE_REPEATS = 5


@dataclass(frozen=True)
class Paired:
    """Seconds of both sides, pair by pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> list[float]:
        """How many times as long the other side took, pair by pair."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)


def paired(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    pairs: int,
    device: torch.device,
    share: float = 1.0,
    warm: bool = True,
) -> Paired:
    """Time both sides in turns.

    Args:
        ours, theirs: do the work once.
        pairs: how often.
        device: is waited for before the clock is read.
        share: what part of the work `theirs` does in a call; its time is divided by it. For work that is linear in pictures
            because it goes through them one by one.
        warm: do everything once before, untimed.
    """
    if warm:
        ours()
        theirs()
    mine, other = [], []
    for pair in range(pairs):
        # the order alternates, so that a machine that slows down or speeds up favours nobody
        order = (True, False) if pair % 2 == 0 else (False, True)
        for first in order:
            if first:
                mine.append(seconds(ours, device))
            else:
                other.append(seconds(theirs, device) / share)
    return Paired(mine, other)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long a call takes."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return floating-point operations per second of a square matrix product, the best of a few, the largest that is quick."""
    best = 0.0
    for side in RATE_SIDES:
        if 2 * side**3 > best * RATE_SECONDS and best:
            break
        a = torch.ones(side, side, dtype=dtype, device=device)
        best = 2 * side**3 / min(seconds(partial(torch.matmul, a, a), device) for _ in range(RATE_REPEATS + 1))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
