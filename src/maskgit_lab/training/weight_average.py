"""An exponential moving average of weights, which is what a stage keeps when it is done (Polyak & Juditsky 1992)."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)
WARM_UP = 10  # steps that the start counts for: a young average forgets sooner


class WeightAverage(nn.Module, Generic[Network]):
    """A copy of a network whose weights follow the trained ones; it is in checkpoints, and not in the optimiser.

    Args:
        network: what is trained.
        decay: share of the average that stays at a step, in [0, 1), after a warm-up: at step n at most (1 + n) / (10 + n).
    """

    def __init__(self, network: Network, *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network: Network = copy.deepcopy(network).requires_grad_(False)

    def update(self, network: Network, step: int) -> None:
        """Move the average towards `network` after its update number `step` (from 0); its buffers are taken as they are."""
        decay = min(self.decay, (1 + step) / (WARM_UP + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
            for mine, its in zip(self.network.buffers(), network.buffers(), strict=True):
                mine.copy_(its)
