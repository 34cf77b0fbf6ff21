"""Precision and recall of a set of images (Kynkaanniemi et al. 2019): whether outputs look like truths, and truths like outputs."""

from dataclasses import dataclass

from torch import Tensor

from maskgit_lab.evaluation.frechet import require_finite_features

NEIGHBOURS = 3  # the paper's k
# squared distances up to this share of the squared norms are 0: they are differences of products, rounded in float64
ROUNDING = 1e-12


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares of images that lie within the other set."""

    precision: float  # of outputs inside the truths' manifold
    recall: float  # of truths inside the outputs' manifold


def precision_recall(outputs: Tensor, truth: Tensor, *, k: int = NEIGHBOURS) -> PrecisionRecall:
    """Compute precision and recall in float64.

    The manifold of a set is the union of balls around its images, each as large as the distance to the k-th nearest other image of
    the set (equations 1 and 2 of the paper).

    Args:
        outputs: (n1, d) features.
        truth: (n2, d) features.
        k: which neighbour gives the radius.

    Returns:
        Both shares, each from 0 to 1.

    Raises:
        ValueError: when a set has no k-th neighbour, or features are not finite.
    """
    if k < 1 or min(len(outputs), len(truth)) <= k:
        raise ValueError(
            f"neighbours must be at least 1 and below the number of images a side ({len(outputs)} and {len(truth)}), got {k}"
        )
    for features, side in ((outputs, "outputs"), (truth, "truth")):
        require_finite_features(features, side)
    centre = truth.double().mean(0)  # small norms leave small errors of rounding
    made, real = outputs.double() - centre, truth.double() - centre
    between = _squared_distances(made, real)  # (n1, n2)
    inside_truth = between <= _squared_radii(real, k)
    inside_made = between <= _squared_radii(made, k)[:, None]
    return PrecisionRecall(float(inside_truth.any(1).double().mean()), float(inside_made.any(0).double().mean()))


def _squared_radii(features: Tensor, k: int) -> Tensor:
    """Return the squared distance (n,) from each image to its k-th nearest other image."""
    return _squared_distances(features, features).fill_diagonal_(-1.0).kthvalue(k + 1, dim=1).values  # an image itself comes first


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return (n1, n2) squared distances, 0 where they are rounding."""
    norms = a.square().sum(1)[:, None] + b.square().sum(1)
    squares = norms - 2 * a @ b.T
    return squares.masked_fill(squares <= ROUNDING * norms, 0.0)
