"""The network as the decoding loop calls it: predict hidden tokens step after step, exactly or with partial refresh.

Partial refresh (after ReCAP, arXiv 2505.19089): two thirds of a usual grid are known tokens, whose keys and values hardly change
from step to step. Between two full passes only what changes is computed: cells hidden before the last reveal and, where asked for,
a ring of known cells around the hole.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.core.positions import Positions
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.transformer import KeysValues


class HiddenPrediction:
    """Logits of hidden tokens, exact: the last block and the head run on hidden positions alone.

    Args:
        model: in evaluation mode.
        context: (B, N, dim) or None.
        first: (M, V + 1) logits of the first step, if they are known already.
    """

    def __init__(self, model: MaskedTokenModel, context: Tensor | None, *, first: Tensor | None = None) -> None:
        self.model = model
        self.context = context
        self.first = first

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        if self.first is not None:
            first, self.first = self.first, None
            return first
        return self.model(tokens, self.context, hidden)

    def keep(self, images: Tensor) -> None:
        """Go on with some images of the batch."""
        self.context = None if self.context is None else self.context.index_select(0, images)


class RefreshedPrediction:
    """Logits of hidden tokens with partial refresh.

    Args:
        model: in evaluation mode.
        context: (B, N, dim) or None.
        mask: (B, N) bool, the holes.
        every: steps from one full pass to the next.
        ring: width in cells of what is refreshed around the hole.
    """

    def __init__(self, model: MaskedTokenModel, context: Tensor | None, *, mask: Tensor, every: int, ring: int) -> None:
        self.model = model
        self.context = context
        self.every = every
        self.ring = ring_around(mask, ring)
        self.ring_counts = self.ring.sum(1).tolist()
        self.step = 0
        self.memory: list[KeysValues] = []
        self.before: tuple[Tensor, Sequence[int]] | None = None  # what was hidden at the step before, and how many

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1)."""
        transformer = self.model.transformer
        if self.step % self.every == 0:
            logits, self.memory = transformer.remembering(tokens, self.context, hidden)
        else:
            assert self.before is not None
            mask, counts = self.before
            both = [inside + around for inside, around in zip(counts, self.ring_counts, strict=True)]
            changed = Positions.of(mask | self.ring, both)
            logits = transformer.refresh(tokens, self.context, self.memory, changed, hidden)
        self.step += 1
        self.before = tokens == transformer.mask_token_id, hidden.counts
        return logits

    def keep(self, images: Tensor) -> None:
        """Go on with some images of the batch."""
        self.context = None if self.context is None else self.context.index_select(0, images)
        self.ring = self.ring.index_select(0, images)
        kept = images.tolist()
        self.ring_counts = [self.ring_counts[i] for i in kept]
        self.memory = [memory.of(images) for memory in self.memory]
        if self.before is not None:
            mask, counts = self.before
            self.before = mask.index_select(0, images), [counts[i] for i in kept]


def ring_around(mask: Tensor, width: int) -> Tensor:
    """Return the known cells within `width` cells of a hole, (B, N) bool, of a square grid's holes (B, N)."""
    side = round(mask.shape[1] ** 0.5)
    grown = F.max_pool2d(mask.view(-1, 1, side, side).float(), 2 * width + 1, stride=1, padding=width)
    return (grown.flatten(1) > 0) & ~mask
