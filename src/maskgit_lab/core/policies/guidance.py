"""Guidance by context: away from what the network says when it sees less of the image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.masking import smallest_k_mask
from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.policy import Ask, Question
from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class ContextGuidance(Confidence):
    """The confidence order on l = (1 + w) l_full - w l_dropped, the second with a random part of the known tokens hidden.

    w = weight ((t - 1) / T)^ramp: none in the first step, where a second pass is saved. What `model.context` reads of the known
    pixels stays in both passes.

    Raises:
        ValueError: when a number is out of its range.
    """

    weight: float = 1.0  # 0 = no guidance
    drop: float = 0.5  # share of the known tokens that the second pass does not see
    ramp: float = 1.0  # 0 = the whole weight from the first step on; larger = later
    refreshes = False

    def __post_init__(self) -> None:
        require_number("decode.policy.weight", self.weight, least=0)
        require_number("decode.policy.drop", self.drop, above=0, most=1)
        require_number("decode.policy.ramp", self.ramp, least=0)

    def logits(self, ask: Ask, tokens: Tensor, question: Question) -> Tensor:
        """Return the guided logits (..., V + 1)."""
        full = ask(tokens)
        weight = self.weight * question.progress_before**self.ramp
        if weight == 0:
            return full
        draws = question.draws.uniform("dropped context").masked_fill(~question.known, torch.inf)
        count = (question.known.sum(1).double() * self.drop).floor().long()
        dropped = ask(tokens.masked_fill(smallest_k_mask(draws, count) & question.known, question.mask_token_id))
        return (1 + weight) * full.float() - weight * dropped.float()
