"""Take holes from a bank at random, of drawn ones eight shapes from one: flipped and transposed."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class HoleDraw:
    """Which holes of a bank, and how each is turned; drawn once, applied to pixels and to cells of the token grid alike."""

    pick: Tensor  # (B,) int64
    flips_and_turn: Tensor  # (3, B, 1, 1) bool: left to right, upside down, transposed

    @classmethod
    def of(cls, bank_size: int, count: int, generator: torch.Generator, *, turned: bool = True) -> Self:
        """Draw `count` holes of a bank of `bank_size`, on the generator's device; own masks stay as they lie (`turned` = False)."""
        pick = torch.randint(bank_size, (count,), generator=generator)
        return cls(pick, torch.rand(3, count, 1, 1, generator=generator) < (0.5 if turned else 0.0))

    def holes(self, bank: Tensor) -> Tensor:
        """Return the drawn holes (B, H, W) of a bank (M, H, W) with H = W, on the bank's device."""
        pick = self.pick.to(bank.device, non_blocking=True)
        flip_x, flip_y, turn = self.flips_and_turn.to(bank.device, non_blocking=True)
        holes = bank.index_select(0, pick)
        holes = torch.where(flip_x, holes.flip(2), holes)
        holes = torch.where(flip_y, holes.flip(1), holes)
        return torch.where(turn, holes.transpose(1, 2), holes)
