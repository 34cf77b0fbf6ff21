"""Where predictors come from: one batch of images with holes, decoded any number of times."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from maskgit_lab.core.decode_pass import Predictor
from maskgit_lab.core.decoding import DecodeSettings, Network, predictor_of


class Predictors(Protocol):
    """What a model predicts of some images with holes."""

    def at_once(self) -> Tensor:
        """Return logits (M, V + 1) of all hidden tokens predicted at once: the first step of every decode."""

    def start(self, settings: DecodeSettings) -> Predictor:
        """Begin one decode of the same images; return what `decode` calls in each step.

        Raise ValueError when it cannot decode so; the message names the configuration key.
        """


@dataclass(frozen=True)
class GridPredictors:
    """Predict the whole grid in every step."""

    network: Network  # of the whole grid
    tokens: Tensor  # (B, N) int64
    mask: Tensor  # (B, N) bool, True = hidden
    mask_token_id: int

    def at_once(self) -> Tensor:
        """Return logits (M, V + 1) of all hidden tokens predicted at once."""
        return self.network(self.tokens.masked_fill(self.mask, self.mask_token_id))[self.mask]

    def start(self, settings: DecodeSettings) -> Predictor:
        """Return a predictor that remembers nothing from step to step; raise ValueError for partial refresh."""
        if not settings.exact:
            raise ValueError(
                f"decode.refresh_every={settings.refresh_every} needs speed=fast; speed=plain computes everything in every step"
            )
        return predictor_of(self.network)
