"""Reveal tokens in the fixed order of a Halton sequence, which spreads them evenly (Besnier et al. 2025)."""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.policies.policy import Policy, Step


@dataclass(frozen=True)
class Halton(Policy):
    """Take the hole's cells in the order in which the Halton sequence of bases 2 and 3 reaches them, from a random start per image.

    The paper's counts are those of mask_schedule=arccos, to one token.
    """

    def score(self, step: Step) -> Tensor:
        """Return minus the place (B, N) of each cell in its image's order."""
        order = halton_order(step.hole.shape[1]).to(step.hole.device)
        inside = step.hole[:, order]  # (B, N) along the sequence
        rank = (inside.cumsum(1) - 1)[:, order.argsort()]  # among the hole's cells
        size = step.hole.sum(1, keepdim=True).clamp(min=1)
        start = (step.draws.once("halton")[:, :1] * size).long()
        return -((rank - start) % size).float()


@functools.cache
def halton_order(num_tokens: int) -> Tensor:
    """Return the cells (N,) int64 of a square grid in the order in which the sequence first reaches them.

    Raise ValueError when the grid is not square.
    """
    side = round(num_tokens**0.5)
    if side * side != num_tokens:
        raise ValueError(f"decode.policy: Halton needs a square token grid, got {num_tokens} tokens")
    order: dict[int, None] = {}
    number = 0
    while len(order) < num_tokens:
        number += 1
        order.setdefault(int(radical_inverse(number, 2) * side) * side + int(radical_inverse(number, 3) * side))
    return torch.tensor(list(order))


def radical_inverse(number: int, base: int) -> float:
    """Return the digits of a number in a base, mirrored at the point: an element of the van der Corput sequence, in [0, 1)."""
    result, scale = 0.0, 1.0
    while number:
        number, digit = divmod(number, base)
        scale /= base
        result += digit * scale
    return result
