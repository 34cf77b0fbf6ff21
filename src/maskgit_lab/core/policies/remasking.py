"""ReMDM: revealed tokens go back to hidden with a probability, so that early mistakes can be mended (Wang et al. 2025)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.policies.policy import Policy, Step
from maskgit_lab.core.ranges import require_number

Sigma = Callable[["Remasking", Step, float], Tensor]  # policy, step, sigma_max -> probability of each position (B, N)


def _capped(policy: "Remasking", step: Step, largest: float) -> Tensor:
    return torch.full_like(step.log_p, min(largest, policy.eta))


def _rescaled(policy: "Remasking", step: Step, largest: float) -> Tensor:
    return torch.full_like(step.log_p, policy.eta * largest)


def _by_confidence(policy: "Remasking", step: Step, largest: float) -> Tensor:
    visible = step.hole & ~step.hidden
    share = (-step.revealed_log_p).masked_fill(~visible, -torch.inf).softmax(1)
    return largest * share.nan_to_num(0.0)  # an image with nothing visible


def _looped(policy: "Remasking", step: Step, largest: float) -> Tensor:
    inside = policy.loop_from < step.progress <= policy.loop_to
    return torch.full_like(step.log_p, min(largest, policy.eta) if inside else 0.0)


STRATEGIES: dict[str, Sigma] = {"cap": _capped, "rescale": _rescaled, "conf": _by_confidence, "loop": _looped}


@dataclass(frozen=True)
class Remasking(Policy):
    """Reveal in random order, and hide each revealed token again with probability sigma.

    With alpha = 1 - gamma, t before the step and s after it, sigma_max = min(1, (1 - alpha_s) / alpha_t). Of it: cap
    min(sigma_max, eta); rescale eta sigma_max; conf sigma_max softmax(-log p when revealed); loop, which holds one share
    between two times and mends there as cap does. As many are hidden after the step as the schedule says, not on average only;
    should more be drawn than that, those that are drawn most clearly are hidden.

    Raises:
        ValueError: when a number is out of its range or the strategy is unknown.
    """

    strategy: str = "rescale"  # cap | rescale | conf | loop
    eta: float = 0.2  # of cap, rescale and loop; 0 = what is revealed stays
    loop_from: float = 0.5  # of loop: progress at which revealing pauses
    loop_to: float = 0.9  # and goes on
    remasks = True
    refreshes = False

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"decode.policy.strategy must be one of {', '.join(STRATEGIES)}, got {self.strategy!r}")
        require_number("decode.policy.eta", self.eta, least=0, most=1)
        require_number("decode.policy.loop_from", self.loop_from, above=0, below=1)
        require_number("decode.policy.loop_to", self.loop_to, above=0, below=1)
        if self.loop_from > self.loop_to:
            raise ValueError(f"decode.policy.loop_from ({self.loop_from}) must be at most decode.policy.loop_to ({self.loop_to})")

    def clock(self, progress: float) -> float:
        """Return the progress, which for `loop` stays at loop_from until loop_to."""
        if self.strategy != "loop" or progress <= self.loop_from:
            return progress
        if progress <= self.loop_to:
            return self.loop_from
        return self.loop_from + (progress - self.loop_to) / (1 - self.loop_to) * (1 - self.loop_from)

    def score(self, step: Step) -> Tensor:
        """Return uniform draws (B, N)."""
        return step.draws.uniform("random order")

    def remask(self, step: Step) -> Tensor:
        """Return a score below all others (B, N) where a token is drawn for hiding, +inf elsewhere."""
        visible_share, hidden_share = 1 - step.gamma(step.progress_before), step.gamma(step.progress)
        largest = min(1.0, hidden_share / visible_share) if visible_share > 0 else 1.0
        sigma = STRATEGIES[self.strategy](self, step, largest)
        draw = step.draws.uniform("remasking")
        return torch.where(draw < sigma, draw - sigma - 1, torch.inf)
