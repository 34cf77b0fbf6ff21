"""Two ways of doing the same work, timed in turns in one process, and the rate of the machine's matrix products beside them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

# sides of the square product that gives the matrix rate; the last is large enough to reach it
RATE_SIDES = {"cpu": (256, 512, 1024, 2048), "cuda": (1024, 2048, 4096, 8192)}
RATE_SECONDS = 0.2  # a product that would take longer is not tried: where bf16 is slow, the last takes ten
RATE_REPEATS = 5
AT_ONCE = {"cpu": 1, "cuda": 10}  # products between two looks at the clock: a GPU is given them while it works


@dataclass(frozen=True)
class Paired:
    """Seconds of both sides, pair by pair."""

    ours: list[float]
    theirs: list[float]

    def per(self, count: int) -> "Paired":
        """Return the seconds of one of `count` pieces of work that were timed together."""
        ours, theirs = ([value / count for value in side] for side in (self.ours, self.theirs))
        return Paired(ours, theirs)

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
    best, count = 0.0, AT_ONCE[device.type]
    for side in RATE_SIDES[device.type]:
        if 2 * side**3 > best * RATE_SECONDS and best:
            break
        a = torch.randn(side, side, device=device).to(dtype)  # a GPU is faster at zeros and ones than at anything else
        work = partial(repeated, partial(torch.matmul, a, a), count)
        best = 2 * count * side**3 / min(seconds(work, device) for _ in range(RATE_REPEATS + 1))
    return best


def repeated(work: Callable[[], object], count: int) -> object:
    """Do something several times and return what came last."""
    for _ in range(count):
        done = work()
    return done


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
