"""Some positions of every grid of a batch, packed: what only hidden tokens need is computed on (M, ...) rows.

M is another number in every step, and oneDNN compiles a kernel for every size of a product that it has not met lately, which takes
as long as multiplying some hundred rows. A network therefore computes on F rows, the next round number, and drops the last F - M.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

ROUND_SIZES = 32  # between a power of two and the next; filling up to them costs 3 % at most


def round_up(count: int) -> int:
    """Return the next round number at or above a count: all up to 64, every second to 128, every fourth to 256, and so on."""
    multiple = 2 ** max(0, (count - 1).bit_length() - ROUND_SIZES.bit_length())
    return -(-count // multiple) * multiple


@dataclass(frozen=True)
class Positions:
    """Chosen positions, image by image, ascending within an image."""

    rows: Tensor  # (M,) int64: image * N + position, where the positions are in a flattened (B * N, ...)
    slots: Tensor  # (M,) int64: image * width + rank, where they are in a padded (B * width, ...)
    counts: tuple[int, ...]  # (B,) positions of each image
    filled_rows: Tensor  # (F,) int64: `rows` and the first of them over and over

    @classmethod
    def of(cls, mask: Tensor, counts: Sequence[int]) -> Self:
        """Return the positions that a mask marks; the sizes come from `counts`, so nothing waits for the device.

        Args:
            mask: (B, N) bool.
            counts: how many are marked in each row, known on the host.
        """
        total, width = sum(counts), _width(counts)
        # a stable sort puts the marked ones first, in order; `nonzero` would have to tell the host how many it found
        rows = mask.flatten().logical_not().to(torch.uint8).argsort(stable=True)[:total]
        image = torch.div(rows, mask.shape[1], rounding_mode="floor")
        per_image = mask.sum(1)
        start = per_image.cumsum(0) - per_image  # where the packing of each image begins
        rank = torch.arange(total, device=rows.device) - start[image]
        slots = image * width + rank
        filler = rows[:1].expand(round_up(total) - total) if total else rows
        return cls(rows=rows, slots=slots, counts=tuple(counts), filled_rows=torch.cat([rows, filler]))

    def to(self, device: torch.device) -> Self:
        """Return the same positions on a device."""
        parts = (part.to(device, non_blocking=True) for part in (self.rows, self.slots, self.filled_rows))
        rows, slots, filled_rows = parts
        return replace(self, rows=rows, slots=slots, filled_rows=filled_rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """The most positions that an image has, at least 1, rounded up."""
        return _width(self.counts)

    def take(self, grids: Tensor) -> Tensor:
        """Return the chosen rows (M, ...) of (B, N, ...)."""
        return grids.flatten(0, 1).index_select(0, self.rows)

    def take_filled(self, grids: Tensor) -> Tensor:
        """Return rows (F, ...) of (B, N, ...), of which the first M are the chosen ones."""
        return grids.flatten(0, 1).index_select(0, self.filled_rows)

    def spread(self, packed: Tensor) -> Tensor:
        """Return packed rows (M, ...), or the first M of more, as (B, width, ...), image by image, padded with zeros."""
        padded = packed.new_zeros(len(self.counts) * self.width, *packed.shape[1:])
        return padded.index_copy(0, self.slots, packed[: len(self)]).unflatten(0, (len(self.counts), self.width))

    def pack_filled(self, padded: Tensor) -> Tensor:
        """Return rows (F, ...) of (B, width, ...), of which the first M undo `spread`."""
        filler = self.slots[:1].expand(len(self.filled_rows) - len(self))
        return padded.flatten(0, 1).index_select(0, torch.cat([self.slots, filler]))


def _width(counts: Sequence[int]) -> int:
    return round_up(max([*counts, 1]))
