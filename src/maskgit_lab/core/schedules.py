"""Mask schedules: the share of tokens that is still hidden at progress r.

A schedule is a callable from progress r in [0, 1] to the share hidden in [0, 1], falling, with gamma(0) = 1 and gamma(1) = 0.
Training draws how many tokens to hide from it, decoding how many to keep hidden; the two may use different schedules.

Formulas of linear, cosine, square, cubic, root and exp after MaskGIT (Chang et al. 2022, section 3.2 and figure 8); arccos and log
are common in later work, sigmoid comes from discrete diffusion.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor


class MaskSchedule(ABC):
    """Share of tokens still hidden at progress r: float and tensor calls for a formula written on float64 tensors."""

    @abstractmethod
    def share(self, r: Tensor) -> Tensor:
        """Return gamma(r) for float64 progress of any shape, before clipping to [0, 1]."""

    @overload
    def __call__(self, progress: float) -> float: ...
    @overload
    def __call__(self, progress: Tensor) -> Tensor: ...
    def __call__(self, progress: float | Tensor) -> float | Tensor:
        """Return the share hidden: a float for a float, else a tensor of the same shape and dtype."""
        # float64 throughout: floor(n0 gamma) must not depend on the precision of the caller's progress
        r = torch.as_tensor(progress, dtype=torch.float64).clamp(0, 1)
        gamma = self.share(r).clamp(0, 1)
        if isinstance(progress, Tensor):
            return gamma.to(progress.dtype) if progress.is_floating_point() else gamma
        return gamma.item()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Linear(MaskSchedule):
    """gamma = 1 - r."""

    def share(self, r: Tensor) -> Tensor:
        return 1 - r


class Cosine(MaskSchedule):
    """gamma = cos(pi r / 2)."""

    def share(self, r: Tensor) -> Tensor:
        return torch.where(r < 1, torch.cos(r * (math.pi / 2)), torch.zeros_like(r))


class _Power(MaskSchedule):
    """gamma = 1 - r^exponent."""

    exponent: float

    def share(self, r: Tensor) -> Tensor:
        return 1 - r**self.exponent


class Square(_Power):
    """gamma = 1 - r^2."""

    exponent = 2.0


class Cubic(_Power):
    """gamma = 1 - r^3."""

    exponent = 3.0


class Root(_Power):
    """gamma = 1 - sqrt(r)."""

    exponent = 0.5


class Arccos(MaskSchedule):
    """gamma = (2 / pi) arccos(r)."""

    def share(self, r: Tensor) -> Tensor:
        return torch.arccos(r) * (2 / math.pi)


class Logarithmic(MaskSchedule):
    """gamma = -log2(r) / log2(N), clipped to [0, 1]; convex: most tokens are revealed at once."""

    def __init__(self, *, num_image_tokens: int = 256) -> None:
        self.log_tokens = _log2_tokens(num_image_tokens)

    def share(self, r: Tensor) -> Tensor:
        return -torch.log2(r) / self.log_tokens


class Exponential(MaskSchedule):
    """gamma = 1 - 2^(-log2(N) (1 - r)), scaled so that gamma(0) = 1; concave: few tokens are revealed first."""

    def __init__(self, *, num_image_tokens: int = 256) -> None:
        self.log_tokens = _log2_tokens(num_image_tokens)

    def share(self, r: Tensor) -> Tensor:
        # the plain formula starts at 1 - 1/N and would reveal a token before the first step
        return (1 - 2 ** (-self.log_tokens * (1 - r))) / (1 - 2**-self.log_tokens)


class Sigmoid(MaskSchedule):
    """Logistic falling between -3 and 3, normalised to reach 1 and 0."""

    LIMIT = 3.0

    def share(self, r: Tensor) -> Tensor:
        low, high = (torch.sigmoid(torch.tensor(x, dtype=r.dtype)) for x in (-self.LIMIT, self.LIMIT))
        return (torch.sigmoid(self.LIMIT - 2 * self.LIMIT * r) - low) / (high - low)


class Vector(MaskSchedule):
    """A free list of shares hidden after steps 1..T, linear in between (Ni et al. 2024 search for such lists).

    Args:
        shares: after steps 1 to T.

    Raises:
        ValueError: when the list is empty, leaves [0, 1], rises, or does not end at 0.
    """

    def __init__(self, *, shares: Sequence[float]) -> None:
        values = [float(share) for share in shares]
        falling = all(a >= b for a, b in zip([1.0, *values], values, strict=False))
        if not values or values[-1] != 0 or min(values) < 0 or not falling:
            raise ValueError(f"mask_schedule.shares must fall within [0, 1] and end at 0, got {values}")
        self.knots = torch.tensor([1.0, *values], dtype=torch.float64)

    def share(self, r: Tensor) -> Tensor:
        position = r * (len(self.knots) - 1)
        # 1e-9: r = t/T must land on knot t although t/T * T may round below it
        left = (position + 1e-9).floor().long().clamp(max=len(self.knots) - 2)
        weight = position - left
        knots = self.knots.to(r.device)
        return knots[left] * (1 - weight) + knots[left + 1] * weight


def _log2_tokens(num_image_tokens: int) -> float:
    if num_image_tokens < 2:
        raise ValueError(f"mask_schedule.num_image_tokens must be at least 2, got {num_image_tokens}")
    return math.log2(num_image_tokens)
