"""Reveal tokens in random order: the baseline that every other order has to beat."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.core.policies.policy import Policy, Step


@dataclass(frozen=True)
class RandomOrder(Policy):
    """Score uniform noise, as in the ancestral sampling of masked diffusion."""

    def score(self, step: Step) -> Tensor:
        """Return uniform draws (B, N)."""
        return step.draws.uniform("random order")
