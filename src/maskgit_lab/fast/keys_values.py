"""What partial refresh remembers of a block from step to step."""

from dataclasses import dataclass

import torch
from torch import Tensor


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
        first = rows + image * (heads - 1) * positions  # where the row is in the image's first head
        slots = (first[:, None] + positions * torch.arange(heads, device=rows.device)).flatten()
        for known, new in ((self.keys, keys), (self.values, values)):
            known.view(-1, width).index_copy_(0, slots, new.reshape(-1, width))
