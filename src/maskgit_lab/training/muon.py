"""Muon (Jordan et al. 2024): weight matrices move by their gradient with all singular values made equal, the rest by Adam.

The gradient of a matrix has a few large directions, and Adam follows those. Muon moves along all of them equally: the small
networks here learn as much in a third of the steps. torch.optim.Muon takes matrices only; here most weights are convolutions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MIN_SIDE = 16  # thinner matrices, such as those to and from three colours, are left to Adam
# Coefficients of x, x^3 and x^5 (Jordan et al.): five rounds bring every singular value into 0.7 to 1.2
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
ADAMS_RMS = 0.2  # usual size of an element of Adam's step, in learning rates (Liu et al. 2025)


def weight_matrices(module: nn.Module) -> list[Tensor]:
    """Return the weights of linear layers and convolutions; embeddings and codebooks are tables, not maps, and are left out."""
    weights = [layer.weight for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return [weight for weight in weights if weight.requires_grad and min(len(weight), weight[0].numel()) >= MIN_SIDE]


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V^T of a matrix U S V^T, of the same shape (Newton-Schulz iteration).

    The iteration multiplies by a polynomial of the Gram matrix, which is small: convolutions are nine times as wide as high. It is
    computed as the matrix is, under any autocast: a stage that calls its optimiser by hand does so under autocast, and in bf16 the
    Gram matrix's small singular values are noise, which the polynomial blows up (8 where 1 is wanted).
    """
    with torch.autocast(matrix.device.type, enabled=False):
        return _orthogonal(matrix)


def _orthogonal(matrix: Tensor) -> Tensor:
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    wide = wide / (wide.norm() + torch.finfo(wide.dtype).tiny)
    a, b, c = QUINTIC
    gram = wide @ wide.mT
    product = None
    for remaining in reversed(range(ROUNDS)):
        polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal().add_(a)
        product = polynomial if product is None else polynomial @ product
        if remaining:  # the last one's is not asked for
            gram = polynomial @ gram @ polynomial
    assert product is not None
    made = product @ wide
    return made if matrix.shape[0] <= matrix.shape[1] else made.mT


class Muon(torch.optim.AdamW):
    """Muon for weight matrices, Adam for everything else.

    Args:
        module: its parameters are updated.
        lr: of Adam.
        matrix_lr: of Muon, on the same scale: an element moves as far as under Adam with that rate.
        betas: of Adam.
        weight_decay: decoupled, of both.
        momentum: of Muon, with Nesterov's look ahead.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        lr: float,
        matrix_lr: float,
        betas: tuple[float, float],
        weight_decay: float,
        momentum: float = 0.95,
    ) -> None:
        matrices = weight_matrices(module)
        own = {id(matrix) for matrix in matrices}
        others = [p for p in module.parameters() if id(p) not in own]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "lr": matrix_lr, "muon": True, "momentum": momentum},
            {"params": others, "muon": False},
        ]
        super().__init__(groups, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; nothing where `found_inf` is set and not 0, as torch's fused optimisers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found: Tensor | None = getattr(self, "found_inf", None)
        if found is not None and found.device.type == "cpu" and bool(found):
            return loss
        groups = self.param_groups
        for group in groups:
            if group["muon"]:
                for parameter in group["params"]:
                    self._move(parameter, group, found)
        self.param_groups = [group for group in groups if not group["muon"]]
        try:
            super().step()
        finally:
            self.param_groups = groups
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any], found: Tensor | None) -> None:
        if parameter.grad is None:
            return
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)  # AdamW looks for it when a checkpoint is read
            state["momentum_buffer"] = torch.zeros_like(parameter)
        gradient, momentum = parameter.grad, state["momentum_buffer"]
        before = None if found is None else (parameter.clone(), momentum.clone())
        state["step"] += 1
        momentum.lerp_(gradient, 1 - group["momentum"])
        direction = gradient.lerp(momentum, group["momentum"]).flatten(1)
        # an orthogonal n x m matrix has elements of size max(n, m)^-1/2
        scale = ADAMS_RMS * max(direction.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonal(direction).view_as(parameter), alpha=-group["lr"] * scale)
        if before is not None and found is not None:  # on the device, which nothing waits for
            for value, old in zip((parameter, momentum), before, strict=True):
                value.copy_(torch.where(found > 0, old, value))
