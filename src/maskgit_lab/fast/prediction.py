"""Logits of hidden tokens step after step: exact, or with partial refresh.

Partial refresh (after ReCAP, arXiv 2505.19089): two thirds of a usual grid are known tokens, whose keys and values hardly change
from step to step. Between two full passes only what changes is computed: cells hidden before the last reveal and, with
`decode.refresh_ring`, a ring of known cells around the hole.
"""

from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast.keys_values import KeysValues
from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.transformer import FastTransformer


class HiddenLogits(Protocol):
    """Logits of hidden tokens, called once per step."""

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1) at the hidden positions of tokens (B, N)."""


class ExactLogits:
    """Logits of hidden tokens, exact: the last block and the head run on hidden positions only.

    Args:
        transformer: in evaluation mode.
        context: (B, N, dim) or None.
        first: those of the first step, if they are known already.
    """

    def __init__(self, transformer: FastTransformer, context: Tensor | None, *, first: Tensor | None = None) -> None:
        self.transformer = transformer
        self.context = context
        self.first = first

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        first, self.first = self.first, None
        return self.transformer.logits(tokens, self.context, hidden) if first is None else first


class RefreshedLogits:
    """Logits of hidden tokens with partial refresh.

    Args:
        transformer: in evaluation mode.
        context: (B, N, dim) or None.
        mask: (B, N) bool, the holes.
        every: steps from one full pass to the next.
        ring: width in cells of what is refreshed around the hole.
    """

    def __init__(self, transformer: FastTransformer, context: Tensor | None, *, mask: Tensor, every: int, ring: int) -> None:
        self.transformer = transformer
        self.context = context
        self.every = every
        self.ring = ring_around(mask, ring)
        self.ring_counts = self.ring.sum(1).tolist()
        self.step = 0
        self.memory: list[KeysValues] = []
        self.before: tuple[Tensor, Positions] | None = None  # tokens and hidden positions of the step before

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        if self.step % self.every == 0:
            logits, self.memory = self.transformer.remembering(tokens, self.context, hidden)
        else:
            assert self.before is not None
            earlier, was_hidden = self.before
            counts = [inside + around for inside, around in zip(was_hidden.counts, self.ring_counts, strict=True)]
            changed = Positions.of((earlier == self.transformer.plain.mask_token_id) | self.ring, counts)
            logits = self.transformer.refresh(tokens, self.context, self.memory, changed, hidden)
        self.step += 1
        self.before = tokens, hidden
        return logits


def ring_around(mask: Tensor, width: int) -> Tensor:
    """Return the known cells within `width` cells of a hole, (B, N) bool, of a square grid's holes (B, N)."""
    side = round(mask.shape[1] ** 0.5)
    grown = F.max_pool2d(mask.view(-1, 1, side, side).float(), 2 * width + 1, stride=1, padding=width)
    return (grown.flatten(1) > 0) & ~mask
