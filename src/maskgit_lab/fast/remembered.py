"""What decoding remembers of a network from step to step."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Embedded:
    """What every position's own token and context determine: its embedding and what the first block projects it to.

    Exact from step to step: it changes only where a token does, and `write` puts that in place.
    """

    x: Tensor  # (B, N, dim)
    projected: Tensor  # (B, N, 3 * dim): query, key and value in the first block

    def write(self, rows: Tensor, x: Tensor, projected: Tensor) -> None:
        """Replace the rows (M,) of the flattened batch with embeddings (M, dim) and projections (M, 3 * dim)."""
        self.x.flatten(0, 1).index_copy_(0, rows, x)
        self.projected.flatten(0, 1).index_copy_(0, rows, projected)

    def of(self, images: Tensor) -> "Embedded":
        """Return those of some images (B',) of the batch."""
        return Embedded(self.x.index_select(0, images), self.projected.index_select(0, images))

    def copied(self) -> "Embedded":
        """Return a copy to write into."""
        return Embedded(self.x.clone(), self.projected.clone())


@dataclass
class KeysValues:
    """What one block's attention knows of every position; `refresh` writes into it."""

    keys: Tensor  # (B, heads, N, d)
    values: Tensor  # (B, heads, N, d)

    def kept(self) -> "KeysValues":
        """Return a copy that lies in memory head by head, as attention reads it."""
        return KeysValues(self.keys.contiguous(), self.values.contiguous())

    def write(self, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Replace the rows (M,) of the flattened batch with keys and values (M, heads, d)."""
        _, heads, positions, width = self.keys.shape
        image = torch.div(rows, positions, rounding_mode="floor")
        first = rows + image * (heads - 1) * positions  # where the row stands in the image's first head
        slots = (first[:, None] + positions * torch.arange(heads, device=rows.device)).flatten()
        for known, new in ((self.keys, keys), (self.values, values)):
            known.view(-1, width).index_copy_(0, slots, new.reshape(-1, width))

    def of(self, images: Tensor) -> "KeysValues":
        """Return those of some images (B',) of the batch."""
        return KeysValues(self.keys.index_select(0, images), self.values.index_select(0, images))
