"""The lab's policy: reveal the most confident tokens first (MaskGIT, Chang et al. 2022, section 3.3)."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.core.policies.policy import Policy, Step


@dataclass(frozen=True)
class Confidence(Policy):
    """Score log p + choice_temperature (1 - r) Gumbel noise.

    The noise is on log p: on p the order would be nearly random.
    """

    def score(self, step: Step) -> Tensor:
        """Return the noisy log probability (B, N)."""
        if step.order_temperature == 0:
            return step.position_score
        return step.position_score + step.order_temperature * step.draws.gumbel()
