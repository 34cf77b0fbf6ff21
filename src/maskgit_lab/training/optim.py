"""Adam, for weight matrices optionally Muon, with warm-up and cosine decay, per optimiser step."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from maskgit_lab.core.ranges import LARGEST_LR, require_number
from maskgit_lab.training.muon import Muon


@dataclass(frozen=True)
class AdamSettings:
    """How the weights are updated (lab protocol: Adam, lr 1e-4, cosine decay)."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0  # decoupled (AdamW); 0 = plain Adam
    warmup_steps: int = 0  # steps of linear warm-up
    decay: str = "cosine"  # cosine | constant
    final_lr_share: float = 0.0  # lr at the end, as a share of `lr`
    matrix_lr: float | None = None  # of weight matrices, which Muon updates then; None = Adam for all

    def __post_init__(self) -> None:
        if self.decay not in ("cosine", "constant"):
            raise ValueError(f"optimizer.decay must be cosine or constant, got {self.decay!r}")
        require_number("optimizer.lr", self.lr, above=0, most=LARGEST_LR)
        require_number("optimizer.matrix_lr", self.matrix_lr, above=0, most=LARGEST_LR, or_null=True)
        require_number("optimizer.warmup_steps", self.warmup_steps, least=0, whole=True)
        require_number("optimizer.final_lr_share", self.final_lr_share, least=0, most=1)
        if len(self.betas) != 2:
            raise ValueError(f"optimizer.betas must be two numbers, got {list(self.betas)}")
        for beta in self.betas:
            require_number("optimizer.betas", beta, least=0, below=1)
        # a step multiplies weights by 1 - lr weight_decay
        require_number("optimizer.weight_decay", self.weight_decay, least=0, below=1 / max(self.lr, self.matrix_lr or 0))

    def lr_factor(self, step: int, total_steps: int) -> float:
        """Return the learning rate at a step as a share of `lr`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.decay == "constant":
            return 1.0
        progress = (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.final_lr_share + (1 - self.final_lr_share) * cosine

    def build(self, module: nn.Module, total_steps: Callable[[], int]) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """Build the optimiser of all the module's parameters, and its scheduler, stepped once per optimiser step.

        `total_steps` is called after the first step, when the length of the run is known.
        """
        optimizer: torch.optim.Optimizer
        if self.matrix_lr is None:
            # fused: one kernel over all parameters, on CPU as on CUDA
            optimizer = torch.optim.AdamW(
                list(module.parameters()), lr=self.lr, betas=self.betas, weight_decay=self.weight_decay, fused=True
            )
        else:
            optimizer = Muon(module, lr=self.lr, matrix_lr=self.matrix_lr, betas=self.betas, weight_decay=self.weight_decay)
        # the first factor does not depend on the length
        return optimizer, LambdaLR(optimizer, lambda step: self.lr_factor(step, total_steps() if step else 1))
