"""Batches in a random order that can be resumed: the order of an epoch is a function of (seed, epoch), the place a number.

Data are arrays in this process, so there are no workers. Lightning saves `state_dict` in every checkpoint and gives it back when it
resumes in the middle of an epoch; a torch DataLoader would start that epoch again.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

log = logging.getLogger("maskgit_lab")


@dataclass(eq=False, kw_only=True)
class ResumableLoader:
    """Serve `collate(indices)` for every batch of an epoch.

    Batch b of all ranks together holds the items of batch b of one process with world_size * batch_size: item i of rank r is its
    item i * world_size + r. With several processes the order is cut to a multiple of them when `drop_last`, else filled up from its
    beginning, so that all ranks serve equally many batches; `items_in_batch` tells how many items of a batch count.
    """

    num_items: int  # of the whole set
    batch_size: int  # items per batch on each rank
    collate: Callable[[np.ndarray], Any]  # indices (B,) int64 -> batch
    seed: int  # of the order
    shuffle: bool  # new order every epoch; False = always 0, 1, 2, ...
    drop_last: bool  # leave out a last batch that is not full
    rank: int = 0  # this process; it serves every world_size-th item of the order
    world_size: int = 1  # processes

    batch_sampler = None  # Lightning looks for it next to `sampler`

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"data.batch_size must be at least 1, got {self.batch_size}")
        if self.num_items < 1:
            raise ValueError("the loader needs at least one item")
        if len(self) == 0:
            where = f"{self.batch_size} on {self.world_size} devices"
            raise ValueError(f"data.batch_size ({where}) exceeds the {self.num_items} items there are")
        self._whole_batch = self.batch_size * self.world_size  # items on all ranks together
        self.epoch = 0
        self._resume_at = 0  # batch at which the next iteration starts
        self._served = 0  # batches served of the current epoch

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

    def items_in_batch(self, batch: int) -> int:
        """Return how many items batch number `batch` has on all ranks together, without those that only fill up."""
        return self._whole_batch if self.drop_last else min(self._whole_batch, self.num_items - batch * self._whole_batch)

    def __iter__(self) -> Iterator[Any]:
        # a generator: epoch and place are read when the first batch is fetched, after Lightning has set both
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
        return {"epoch": self.epoch, "served": self._served, "batches": len(self), "items_in_batch": self._whole_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the last batch that was served.

        The place is exact when batch size x processes is what it was. Else the epoch goes on at the same batch number, which
        repeats or leaves out some of its items; a warning says so, and later epochs are whole.
        """
        whole_epochs, self._resume_at = divmod(state["served"], state.get("batches", len(self)))
        whole, before = self._whole_batch, state.get("items_in_batch", self._whole_batch)
        if self._resume_at and before != whole:
            log.warning(
                f"Resumed in the middle of an epoch with {whole} images per step on all devices instead of {before}: the rest "
                "of this epoch repeats or leaves out some images. "
                f"For an exact continuation keep data.batch_size x devices at {before}"
            )
        self._served = self._resume_at
        self.epoch = state["epoch"] + whole_epochs
