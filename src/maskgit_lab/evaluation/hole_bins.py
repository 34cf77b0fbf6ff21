"""Bins of the share of an image's pixels that its hole takes: large holes are harder, and one mean over all hides it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class HoleBins:
    """Where one bin ends and the next begins, as shares of the pixels; no limits = no bins.

    Raises:
        ValueError: limits that are no shares, or do not rise.
    """

    limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for limit in self.limits:
            require_number("hole_bins", limit, above=0, below=1)
        if list(self.limits) != sorted(set(self.limits)):
            raise ValueError(f"hole_bins must rise from limit to limit, got {list(self.limits)}")

    @property
    def names(self) -> list[str]:
        """The bins from small to large holes."""
        if not self.limits:
            return []
        percent = [f"{100 * limit:.4g}" for limit in self.limits]
        between = [f"{least} to {largest} %" for least, largest in pairwise(percent)]
        return [f"below {percent[0]} %", *between, f"from {percent[-1]} %"]

    def members(self, holes: np.ndarray) -> dict[str, np.ndarray]:
        """Return which images (n,) bool each bin holds, by its name, for holes (n, H, W) bool; without a hole in none."""
        share = holes.reshape(len(holes), -1).mean(1)
        place = np.digitize(share, self.limits)  # a share on a limit belongs to the bin above
        return {name: (place == i) & (share > 0) for i, name in enumerate(self.names)}

    def counts(self, holes: Sequence[np.ndarray] | np.ndarray) -> dict[str, int]:
        """Return how many images each bin holds."""
        return {name: int(inside.sum()) for name, inside in self.members(np.asarray(holes)).items()}
