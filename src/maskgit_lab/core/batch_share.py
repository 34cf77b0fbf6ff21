"""Which part of a batch is this process's own when several processes train together.

Every process draws the random numbers of a batch for all its items and keeps those of its own. So a batch of B items on each of W
processes has the holes, the masks and the denominator of the loss that one process with a batch of W B items has. The processes
exchange nothing for it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BatchShare:
    """Items rank, rank + num_ranks, rank + 2 num_ranks, ... of a batch."""

    num_items: int  # of all ranks together; items that only fill up the last batch do not count
    rank: int = 0
    num_ranks: int = 1

    def own(self, values: Tensor, size: int) -> Tensor:
        """Return this rank's rows (size, ...) of values (num_items, ...); rows past the end repeat the last one."""
        return values[self._rows(size, values.device).clamp(max=self.num_items - 1)]

    def counts(self, size: int, device: torch.device) -> Tensor:
        """Return (size,) bool: False for own items that only fill the batch up."""
        return self._rows(size, device) < self.num_items

    def _rows(self, size: int, device: torch.device) -> Tensor:
        return torch.arange(size, device=device) * self.num_ranks + self.rank
