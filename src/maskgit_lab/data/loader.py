"""Batches in a random order that can be resumed: the order of an epoch is a function of (seed, epoch), the place a number.

Data are arrays in this process, so there are no workers. Lightning saves `state_dict` in every checkpoint and gives it back when it
resumes in the middle of an epoch; a torch DataLoader would start that epoch anew.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


class ResumableLoader:
    """Serve `collate(indices)` for every batch of an epoch.

    Args:
        num_items: items of the whole set.
        batch_size: items per batch on each rank.
        collate: indices (B,) int64 -> batch.
        seed: of the order.
        shuffle: new order every epoch; False = always 0, 1, 2, ...
        drop_last: leave out a last batch that is not full.
        rank: this process; it serves every world_size-th item of the order.
        world_size: processes. The order is cut to a multiple of it when `drop_last`, else filled up from its beginning, so that
            all ranks serve equally many batches.
    """

    def __init__(
        self,
        *,
        num_items: int,
        batch_size: int,
        collate: Callable[[np.ndarray], Any],
        seed: int,
        shuffle: bool,
        drop_last: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"data.batch_size must be at least 1, got {batch_size}")
        if num_items < 1:
            raise ValueError("the loader needs at least one item")
        self.num_items = num_items
        self.batch_size = batch_size
        self.collate = collate
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._resume_at = 0  # batch at which the next iteration starts
        self._served = 0  # batches served of the current epoch
        if len(self) == 0:
            raise ValueError(
                f"data.batch_size ({batch_size} on {world_size} devices) exceeds the {num_items} items there are"
            )

    batch_sampler = None  # Lightning looks for it beside `sampler`

    @property
    def sampler(self) -> "ResumableLoader":
        """What Lightning calls `set_epoch` on."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.epoch = epoch

    def __len__(self) -> int:
        items = len(self._rank_order(np.arange(self.num_items)))
        return items // self.batch_size if self.drop_last else -(-items // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        # a generator: epoch and place are read when the first batch is asked for, after Lightning has set both
        start, self._resume_at = self._resume_at, 0
        order = self._rank_order(self._order())
        for batch in range(start, len(self)):
            self._served = batch + 1
            yield self.collate(order[batch * self.batch_size : (batch + 1) * self.batch_size])

    def _order(self) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.num_items)
        return np.random.Generator(np.random.Philox(key=[self.seed, self.epoch])).permutation(self.num_items)

    def _rank_order(self, order: np.ndarray) -> np.ndarray:
        rest = len(order) % self.world_size
        if rest:
            order = order[:-rest] if self.drop_last else np.concatenate([order, order[: self.world_size - rest]])
        return order[self.rank :: self.world_size]

    def state_dict(self) -> dict[str, int]:
        """Return the place after the last batch served."""
        return {"epoch": self.epoch, "served": self._served}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the last batch that was served."""
        whole_epochs, self._resume_at = divmod(state["served"], len(self))
        self._served = self._resume_at
        self.epoch = state["epoch"] + whole_epochs
