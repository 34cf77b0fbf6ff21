"""Reveal first where the network hesitates least between all codes."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.token_choice import TokenLogits


def entropy_of(logits: TokenLogits) -> Tensor:
    """Return the entropy H (...) of p in nats; a code without probability adds nothing."""
    log_p = logits.tempered.log_softmax(-1)
    return -(log_p.exp() * log_p.masked_fill(log_p.isneginf(), 0)).sum(-1)


@dataclass(frozen=True)
class Entropy(Policy):
    """Score minus the entropy of p; no noise."""

    def position_score(self, logits: TokenLogits, log_p: Tensor) -> Tensor:
        """Return -H (...)."""
        return -entropy_of(logits)
