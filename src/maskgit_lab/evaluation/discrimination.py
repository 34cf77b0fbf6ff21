"""P-IDS and U-IDS (Zhao et al. 2021): how often a linear classifier takes an output for a real image.

The classifier is the authors': a linear support vector machine with squared hinge loss, C = 1 and a bias that is regularised as
every weight, fitted to the very images that it then judges. Its problem is smooth and convex, so Newton steps on the images inside
the margin find the same minimum as liblinear does (Keerthi and DeCoste 2005), in about ten solves.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.evaluation.frechet import require_finite_features

PENALTY = 1.0  # C
MAX_STEPS = 200  # Newton's; about ten are needed
HALVINGS = 40  # of a Newton step that goes too far
SMALL_GRADIENT = 1e-9  # of the gradient at 0: the minimum is found
TIE = 1e-9  # decisions this close to each other are equal: rounding must not decide


@dataclass(frozen=True)
class Discrimination:
    """Shares of mistakes; 0.5 at best for U-IDS."""

    unpaired: float  # U-IDS: of all images that are put on the wrong side
    paired: float | None  # P-IDS: of outputs that look more real than their own truth; None for images of other scenes


def discrimination(outputs: Tensor, truth: Tensor, *, paired: bool = True) -> Discrimination:
    """Fit the classifier and count its mistakes, in float64.

    A tie counts as half a mistake; the authors count it as none (P-IDS) or by side (U-IDS), so that the truth against itself has
    0.5 here and a P-IDS of 0 there.

    Args:
        outputs: (n1, d) features.
        truth: (n2, d) features; with `paired` row by row those of the outputs' own truths.
        paired: whether rows belong together.

    Returns:
        Both scores.

    Raises:
        ValueError: when a set is empty, paired sets differ in length, features are not finite, or no minimum is found.
    """
    if not len(outputs) or not len(truth) or (paired and len(outputs) != len(truth)):
        raise ValueError(f"P-IDS and U-IDS need images on both sides, in pairs equally many, got {len(outputs)} and {len(truth)}")
    for features, side in ((outputs, "outputs"), (truth, "truth")):
        require_finite_features(features, side)
    made, real = outputs.double(), truth.double()
    labels = torch.cat([real.new_ones(len(real)), -made.new_ones(len(made))])
    weights = fit_svm(torch.cat([real, made]), labels)
    margins = labels * (torch.cat([real, made]) @ weights[:-1] + weights[-1])
    more_real = (made - real) @ weights[:-1] if paired else None
    return Discrimination(
        unpaired=_share_above(-margins), paired=None if more_real is None else _share_above(more_real)
    )  # fmt: skip


def fit_svm(features: Tensor, labels: Tensor) -> Tensor:
    """Minimise |w|^2 / 2 + C sum max(0, 1 - y (w x + b))^2 with b counted into |w|.

    Args:
        features: (n, d) float64.
        labels: (n,) float64, 1 or -1.

    Returns:
        The weights and, last, the bias, (d + 1,).

    Raises:
        ValueError: when no minimum is found, because features differ in size by too many powers of ten.
    """
    x = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    weights = x.new_zeros(x.shape[1])
    small = SMALL_GRADIENT * float((2 * PENALTY * x.T @ labels).norm())
    tiny = SMALL_GRADIENT * float((2 * PENALTY * x.abs().sum(0)).norm())  # both classes alike: the gradient at 0 is rounding
    for _ in range(MAX_STEPS):
        gap = 1 - labels * (x @ weights)
        active = gap > 0
        gradient = weights - 2 * PENALTY * x.T @ (labels * gap.clamp(min=0))
        if float(gradient.norm()) <= max(small, 1e-6 * tiny):
            return weights
        target = _minimum(x[active], labels[active])
        if torch.equal(1 - labels * (x @ target) > 0, active):
            return target  # the minimum of the piece that it lies in is that of the whole
        weights = _downhill(x, labels, weights, target - weights, gradient)
    raise ValueError("the linear classifier of P-IDS and U-IDS finds no minimum: look at the sizes of the features")


def _minimum(x: Tensor, labels: Tensor) -> Tensor:
    """Return the weights that are best for images inside the margin, by the smaller of two equal systems."""
    count, width = x.shape
    if count < width:
        kernel = x @ x.T
        kernel.diagonal().add_(1 / (2 * PENALTY))
        return x.T @ torch.linalg.solve(kernel, labels)
    hessian = 2 * PENALTY * x.T @ x
    hessian.diagonal().add_(1.0)
    return torch.linalg.solve(hessian, 2 * PENALTY * x.T @ labels)


def _downhill(x: Tensor, labels: Tensor, weights: Tensor, step: Tensor, gradient: Tensor) -> Tensor:
    """Return `weights` after the step, halved until the loss falls by a share of what the gradient promises (Armijo)."""
    start, promised = _loss(x, labels, weights), float(gradient @ step)
    for halving in range(HALVINGS):
        length = 0.5**halving
        if _loss(x, labels, weights + length * step) <= start + 1e-4 * length * promised:
            break
    return weights + length * step


def _loss(x: Tensor, labels: Tensor, weights: Tensor) -> float:
    gap = (1 - labels * (x @ weights)).clamp(min=0)
    return float(weights.square().sum() / 2 + PENALTY * gap.square().sum())


def _share_above(values: Tensor) -> float:
    """Return the share of values above 0, with ties as halves."""
    return float(((values > TIE).double() + 0.5 * (values.abs() <= TIE)).mean())
