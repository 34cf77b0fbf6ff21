"""Logits of hidden tokens step after step, with what is remembered in between: exact, or with partial refresh.

Partial refresh (after ReCAP, arXiv 2505.19089): two thirds of a usual grid are known tokens, whose keys and values hardly change
from step to step. Between two full passes only what changes is computed: cells hidden before the last reveal and, with
`decode.refresh_ring`, a ring of known cells around the hole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.remembered import Embedded, KeysValues
from maskgit_lab.fast.transformer import FastTransformer


class HiddenLogits(Protocol):
    """Logits of hidden tokens, called once per step."""

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1) at the hidden positions of tokens (B, N)."""

    def keep(self, images: Tensor) -> None:
        """Go on with only these images (B',) of the batch: the others are full."""


@dataclass(frozen=True)
class FirstStep:
    """The prediction of all hidden tokens at once, which every schedule and seed begins with."""

    logits: Tensor  # (M, V + 1)
    embedded: Embedded  # of the whole batch, (B, N, ...)


@dataclass(frozen=True)
class _Before:
    """The tokens of the step before."""

    tokens: Tensor  # (B, N)
    counts: Sequence[int]  # (B,) how many were hidden

    def changed(self, tokens: Tensor, hidden: Positions) -> Positions:
        """Return where tokens were revealed since: as many as are hidden no longer."""
        counts = [before - now for before, now in zip(self.counts, hidden.counts, strict=True)]
        return Positions.of(tokens != self.tokens, counts)

    def of(self, images: Tensor) -> "_Before":
        """Return those of some images (B',) of the batch."""
        return _Before(self.tokens.index_select(0, images), [self.counts[i] for i in images.tolist()])


class ExactLogits:
    """Logits of hidden tokens, exact: the last block and the head run on hidden positions only, the embedding and the first
    block's projection where a token changed.

    Args:
        transformer: in evaluation mode.
        context: (B, N, dim) or None.
        first: of the same tokens, if it is known already.
    """

    def __init__(self, transformer: FastTransformer, context: Tensor | None, *, first: FirstStep | None = None) -> None:
        self.transformer = transformer
        self.context = context
        self.first_logits = None if first is None else first.logits
        self.embedded = None if first is None else first.embedded.copied()
        self.before: _Before | None = None

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        if self.embedded is None:
            self.embedded = self.transformer.embedded(tokens, self.context)
        elif self.before is not None:
            changed = self.before.changed(tokens, hidden)
            self.transformer.embed_again(self.embedded, tokens, self.context, changed)
        self.before = _Before(tokens, hidden.counts)
        if self.first_logits is not None:
            logits, self.first_logits = self.first_logits, None
            return logits
        return self.transformer.from_embedded(self.embedded, hidden)

    def keep(self, images: Tensor) -> None:
        """Go on with some images of the batch."""
        self.context = None if self.context is None else self.context.index_select(0, images)
        self.embedded = None if self.embedded is None else self.embedded.of(images)
        self.before = None if self.before is None else self.before.of(images)


class RefreshedLogits:
    """Logits of hidden tokens with partial refresh.

    Args:
        transformer: in evaluation mode.
        context: (B, N, dim) or None.
        mask: (B, N) bool, the holes.
        every: steps from one full pass to the next.
        ring: width in cells of what is refreshed around the hole.
    """

    def __init__(
        self, transformer: FastTransformer, context: Tensor | None, *, mask: Tensor, every: int, ring: int
    ) -> None:
        self.transformer = transformer
        self.context = context
        self.every = every
        self.ring = ring_around(mask, ring)
        self.ring_counts = self.ring.sum(1).tolist()
        self.step = 0
        self.memory: list[KeysValues] = []
        self.before: _Before | None = None

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        if self.step % self.every == 0:
            logits, self.memory = self.transformer.remembering(tokens, self.context, hidden)
        else:
            assert self.before is not None
            both = [inside + around for inside, around in zip(self.before.counts, self.ring_counts, strict=True)]
            changed = Positions.of((self.before.tokens == self.transformer.plain.mask_token_id) | self.ring, both)
            logits = self.transformer.refresh(tokens, self.context, self.memory, changed, hidden)
        self.step += 1
        self.before = _Before(tokens, hidden.counts)
        return logits

    def keep(self, images: Tensor) -> None:
        """Go on with some images of the batch."""
        self.context = None if self.context is None else self.context.index_select(0, images)
        self.ring = self.ring.index_select(0, images)
        self.ring_counts = [self.ring_counts[i] for i in images.tolist()]
        self.memory = [memory.of(images) for memory in self.memory]
        self.before = None if self.before is None else self.before.of(images)


def ring_around(mask: Tensor, width: int) -> Tensor:
    """Return the known cells within `width` cells of a hole, (B, N) bool, of a square grid's holes (B, N)."""
    side = round(mask.shape[1] ** 0.5)
    grown = F.max_pool2d(mask.view(-1, 1, side, side).float(), 2 * width + 1, stride=1, padding=width)
    return (grown.flatten(1) > 0) & ~mask
