"""Reveal as many tokens at once as are nearly independent of each other: easy holes take fewer steps (arXiv 2505.24857)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.policies.entropy import Entropy
from maskgit_lab.core.policies.policy import Step
from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class EntropyBound(Entropy):
    """Reveal the hidden positions of least entropy, as many as keep the sum of their entropies less the largest within a bound.

    The mask schedule has no say; after decode.num_steps steps everything is revealed. Every step waits for the device.

    Raises:
        ValueError: when the bound is negative or not a number.
    """

    epsilon: float = 1.0  # nats; 0 = one token a step, and all that are certain
    adaptive = True

    def __post_init__(self) -> None:
        require_number("decode.policy.epsilon", self.epsilon, least=0, unit="nats")

    def count(self, step: Step, scores: Tensor) -> Tensor:
        """Return how many tokens (B,) stay hidden; `scores` (B, N) are minus the entropies, infinite at known tokens."""
        if step.progress >= 1:
            return torch.zeros_like(step.planned)
        entropy = (-scores).masked_fill(~step.hidden, torch.inf).sort(1).values  # the known ones come last
        hidden = step.hidden.sum(1)
        # a prefix of k positions sums to all but its largest, which is its last: the first k - 1
        before = torch.cat([torch.zeros_like(entropy[:, :1]), entropy[:, :-1].cumsum(1)], dim=1)
        revealed = torch.minimum((before <= self.epsilon).sum(1), hidden)
        return hidden - revealed
