"""Reveal first where the likeliest code is far ahead of the second."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.token_choice import TokenLogits


@dataclass(frozen=True)
class Margin(Policy):
    """Score p of the likeliest code minus p of the second; no noise."""

    def position_score(self, logits: TokenLogits, log_p: Tensor) -> Tensor:
        """Return p_(1) - p_(2) (...)."""
        first, second = logits.tempered.softmax(-1).topk(2, dim=-1).values.unbind(-1)
        return first - second
