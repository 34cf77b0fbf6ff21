"""Predictors of core's loop that compute hidden tokens only, and only for images that still have some.

How many tokens each step predicts follows from the holes and the schedule. It is known before the loop, so that packing needs no
wait for the device.
"""

import torch
from torch import Tensor

from maskgit_lab.core.decoding import Choice, DecodeSettings, Predictor, hidden_counts, most_likely
from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.prediction import ExactLogits, FirstStep, HiddenLogits, RefreshedLogits
from maskgit_lab.fast.transformer import FastTransformer


class FastPredictors:
    """Predict the hidden tokens of some images, in as many decodes as are asked for.

    Args:
        transformer: in evaluation mode.
        tokens: (B, N) int64; values under `mask` are ignored.
        mask: (B, N) bool, True = hidden.
        context: (B, N, dim) or None.
    """

    def __init__(self, transformer: FastTransformer, tokens: Tensor, mask: Tensor, context: Tensor | None) -> None:
        self.transformer = transformer
        self.mask_token_id = transformer.plain.mask_token_id
        self.tokens = tokens
        self.mask = mask
        self.context = context
        self._first: FirstStep | None = None

    def at_once(self) -> Tensor:
        """Return logits (M, V + 1) of all hidden tokens predicted at once; exact decodes that follow begin with them."""
        if self._first is None:
            hidden = Positions.of(self.mask, self.mask.sum(1).tolist())
            tokens = self.tokens.masked_fill(self.mask, self.mask_token_id)
            embedded = self.transformer.embedded(tokens, self.context)
            self._first = FirstStep(self.transformer.from_embedded(embedded, hidden), embedded)
        return self._first.logits

    def start(self, settings: DecodeSettings, choose: Choice = most_likely) -> Predictor:
        """Return the predictor of one decode, exact or with partial refresh."""
        logits: HiddenLogits
        if settings.exact:
            logits = ExactLogits(self.transformer, self.context, first=self._first)
        else:
            assert settings.refresh_every is not None
            logits = RefreshedLogits(
                self.transformer, self.context, mask=self.mask, every=settings.refresh_every, ring=settings.refresh_ring
            )
        plan = hidden_counts(self.mask, settings)
        return PackedPredictor(logits, plan=plan, mask_token_id=self.mask_token_id, choose=choose)


class PackedPredictor:
    """Predict packed rows and put them in their places on the grid.

    Args:
        logits: of hidden tokens.
        plan: (S + 1, B) int64 on the host, tokens hidden before each step.
        mask_token_id: id that marks a hidden token.
        choose: takes a token from logits.
    """

    def __init__(self, logits: HiddenLogits, *, plan: Tensor, mask_token_id: int, choose: Choice) -> None:
        self.logits = logits
        self.plan = plan
        self.mask_token_id = mask_token_id
        self.choose = choose
        self.step = 0
        self.active = torch.arange(plan.shape[1])  # images with hidden tokens, on the host

    def __call__(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens and log probabilities (B, N); known tokens stay, with probability 1."""
        counts = self._leave(tokens.device)
        certain = torch.zeros(tokens.shape, device=tokens.device)
        if not counts:
            return tokens, certain
        images = self.active.to(tokens.device, non_blocking=True)
        some = tokens.index_select(0, images)
        where = Positions.of(hidden.index_select(0, images), counts)
        cells = torch.arange(tokens.numel(), device=tokens.device).view_as(tokens).index_select(0, images)
        best, log_p = self.choose(self.logits(some, where), self.mask_token_id, where.take(cells))  # (M,), (M,)
        choice = some.flatten().index_copy(0, where.rows, best).view_as(some)
        scored = certain[: len(some)].flatten().index_copy(0, where.rows, log_p).view_as(some)
        return tokens.index_copy(0, images, choice), certain.index_copy(0, images, scored)

    def _leave(self, device: torch.device) -> list[int]:
        """Take full images out of the batch; return how many tokens of each other one are hidden now."""
        left = self.plan[self.step, self.active].nonzero().flatten()
        if len(left) < len(self.active):
            self.logits.keep(left.to(device, non_blocking=True))
            self.active = self.active[left]
        counts: list[int] = self.plan[self.step, self.active].tolist()
        self.step += 1
        return counts
