"""P2: every token is judged again in every step, and a revealed one may lose its place (Peng et al. 2025)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.policies.policy import Policy, Step
from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class PathPlanning(Policy):
    """Score log p of every token in the hole, times eta where it is visible; the least are hidden.

    The network is asked about visible tokens too, whose predictions its training never scored, and a step costs the whole hole.

    Raises:
        ValueError: when eta is negative or not a number.
    """

    eta: float = 1.0  # 0 = what is revealed stays; 1 = all alike; above 1 = revealed ones are hidden again more readily
    rescores = True
    remasks = True
    refreshes = False

    def __post_init__(self) -> None:
        require_number("decode.policy.eta", self.eta, least=0)

    def remask(self, step: Step) -> Tensor:
        """Return eta log p (B, N); +inf at eta 0, where a hidden token of probability 1 would tie with all visible ones."""
        return self.eta * step.log_p if self.eta else torch.full_like(step.log_p, torch.inf)
