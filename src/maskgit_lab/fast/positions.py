"""Some positions of every grid of a batch, packed: what only hidden tokens need is computed on (M, ...) rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Positions:
    """Chosen positions, image by image, ascending within an image."""

    rows: Tensor  # (M,) int64: image * N + position, where the positions are in a flattened (B * N, ...)
    slots: Tensor  # (M,) int64: image * width + rank, where they are in a padded (B * width, ...)
    counts: tuple[int, ...]  # (B,) positions of each image

    @classmethod
    def of(cls, mask: Tensor, counts: Sequence[int]) -> Self:
        """Return the positions that a mask marks; the sizes come from `counts`, so nothing waits for the device.

        Args:
            mask: (B, N) bool.
            counts: how many are marked in each row, known on the host.

        Returns:
            The positions, image by image.
        """
        total = sum(counts)
        flat = mask.flatten()
        # on a GPU a stable sort puts the marked ones first, in order; `nonzero` would have to tell the host how many it found
        rows = (
            flat.nonzero().squeeze(1)
            if mask.device.type == "cpu"
            else flat.logical_not().to(torch.uint8).argsort(stable=True)[:total]
        )
        image = torch.div(rows, mask.shape[1], rounding_mode="floor")
        per_image = mask.sum(1)
        start = per_image.cumsum(0) - per_image  # where the packing of each image begins
        rank = torch.arange(total, device=rows.device) - start[image]
        return cls(rows=rows, slots=image * max(1, *counts) + rank, counts=tuple(counts))

    def to(self, device: torch.device) -> Self:
        """Return the same positions on a device."""
        rows, slots = (part.to(device, non_blocking=True) for part in (self.rows, self.slots))
        return replace(self, rows=rows, slots=slots)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """The most positions that an image has, at least 1."""
        return max(1, *self.counts)

    def take(self, grids: Tensor) -> Tensor:
        """Return the chosen rows (M, ...) of (B, N, ...)."""
        return grids.flatten(0, 1).index_select(0, self.rows)

    def spread(self, packed: Tensor) -> Tensor:
        """Return packed rows (M, ...) as (B, width, ...), image by image, padded with zeros."""
        padded = packed.new_zeros(len(self.counts) * self.width, *packed.shape[1:])
        return padded.index_copy(0, self.slots, packed).unflatten(0, (len(self.counts), self.width))

    def pack(self, padded: Tensor) -> Tensor:
        """Return the rows (M, ...) of (B, width, ...): undo `spread`."""
        return padded.flatten(0, 1).index_select(0, self.slots)
