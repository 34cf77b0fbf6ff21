"""Predictors of core's loop that compute hidden tokens only.

How many tokens each step predicts follows from the holes and the schedule. It is known before the loop, so that packing needs no
wait for the device.
"""

import torch
from torch import Tensor

from maskgit_lab.core.decoding import Choice, DecodeSettings, Predictor, hidden_counts, most_likely
from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.prediction import ExactLogits, HiddenLogits, RefreshedLogits
from maskgit_lab.fast.transformer import FastTransformer


class FastPredictors:
    """Predict the hidden tokens of some images, in any number of decodes.

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
        self._first: Tensor | None = None

    def at_once(self) -> Tensor:
        """Return logits (M, V + 1) of all hidden tokens predicted at once; exact decodes that follow begin with them."""
        if self._first is None:
            hidden = Positions.of(self.mask, self.mask.sum(1).tolist())
            tokens = self.tokens.masked_fill(self.mask, self.mask_token_id)
            self._first = self.transformer.logits(tokens, self.context, hidden)
        return self._first

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
        self.counts = iter(plan.tolist())  # of each step
        self.mask_token_id = mask_token_id
        self.choose = choose

    def __call__(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens and log probabilities (B, N); known tokens stay, with probability 1."""
        certain = torch.zeros(tokens.shape, device=tokens.device)
        where = Positions.of(hidden, next(self.counts))
        if not len(where):
            return tokens, certain
        best, log_p = self.choose(self.logits(tokens, where), self.mask_token_id, where.rows)  # (M,), (M,)
        return (
            tokens.flatten().index_copy(0, where.rows, best).view_as(tokens),
            certain.flatten().index_copy(0, where.rows, log_p).view_as(tokens),
        )
