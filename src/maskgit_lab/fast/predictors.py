"""Predictors of core's loop that compute hidden tokens only.

How many tokens each step predicts follows from the holes and the schedule, but for policies that decide it by what they see. The
loop tells the number where it knows it, so that packing needs no wait for the device.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from maskgit_lab.core.decode_pass import Predictor
from maskgit_lab.core.decoding import DecodeSettings
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

    def start(self, settings: DecodeSettings) -> Predictor:
        """Return the predictor of one decode, exact or with partial refresh."""
        logits: HiddenLogits
        if settings.exact:
            logits = ExactLogits(self.transformer, self.context, first=self._first)
        else:
            assert settings.refresh_every is not None
            logits = RefreshedLogits(
                self.transformer, self.context, mask=self.mask, every=settings.refresh_every, ring=settings.refresh_ring
            )
        return PackedPredictor(logits, mask_token_id=self.mask_token_id)


class PackedPredictor:
    """Predict packed rows.

    Args:
        logits: of hidden tokens.
        mask_token_id: id that marks a hidden token.
    """

    def __init__(self, logits: HiddenLogits, *, mask_token_id: int) -> None:
        self.logits = logits
        self.mask_token_id = mask_token_id

    def __call__(self, tokens: Tensor, asked: Tensor, counts: Sequence[int] | None) -> tuple[Tensor, Tensor]:
        """Return logits (M, V + 1) of the positions that are asked for, and their cells (M,)."""
        where = Positions.of(asked, asked.sum(1).tolist() if counts is None else counts)
        if not len(where):
            return torch.empty(0, self.mask_token_id + 1, device=tokens.device), where.rows
        return self.logits(tokens, where), where.rows
