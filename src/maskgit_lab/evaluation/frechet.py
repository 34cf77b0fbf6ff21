"""The Frechet distance between two sets of features, exact and without matrix square roots.

With centred features Xc (n1 x d) and Yc (n2 x d), tr sqrt(S1 S2) is the nuclear norm of Xc Yc^T / sqrt((n1 - 1)(n2 - 1)), the
sum of its singular values. That is real, never NaN for singular covariances (fewer images than features), and fast: the sides of
the product are numbers of images or features, whichever are smaller.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.evaluation.features import Extractor

NUM_NAMED = 5  # images with features that are not finite that a message names
LARGEST_FEATURE = 1e60  # fourth powers are summed in float64
TOLERANCE = 1e-7  # of a distance that may come from the roots of eigenvalues
Array = Any  # np.ndarray for what is on a CPU, Tensor on other devices: the same operators serve both


def frechet_distance(a: Tensor, b: Tensor, *, sides: tuple[str, str] = ("first set", "second set")) -> float:
    """Compute |mean1 - mean2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) in float64.

    Args:
        a: (n1, d) features.
        b: (n2, d) features.
        sides: what `a` and `b` are, for messages.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: when there are fewer than two rows, the widths differ, or numbers are not finite; it says on which side.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be (n1, d) and (n2, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a Frechet distance needs at least two images a side, got {len(a)} and {len(b)}")
    for features, side in zip((a, b), sides, strict=True):
        require_finite_features(features, side)
        if max(abs(float(extreme)) for extreme in features.aminmax()) > LARGEST_FEATURE:
            raise ValueError(f"the features of the {side} are too large for a Frechet distance: above {LARGEST_FEATURE:g}")
    (mean_a, from_a), (mean_b, from_b) = _centred(a), _centred(b)
    scale = ((len(a) - 1) * (len(b) - 1)) ** 0.5
    without_cross = _squared(mean_a - mean_b) + _squared(from_a) / (len(a) - 1) + _squared(from_b) / (len(b) - 1)
    product = _square_root_factor(from_a) @ _square_root_factor(from_b).T
    product = product.cpu().numpy() if isinstance(product, Tensor) else product
    # roots of the Gram matrix's eigenvalues take half the time of singular values, and lose up to half the digits of small ones:
    # they are used where the lost digits cannot reach the distance's seventh
    cross, uncertainty = _sum_of_roots(product, rank=min(len(a) - 1, len(b) - 1, a.shape[1]))
    if 2 * uncertainty / scale > TOLERANCE * (without_cross - 2 * cross / scale):
        cross = float(np.linalg.svd(product, compute_uv=False).sum())
    return max(0.0, without_cross - 2 * cross / scale)


def require_finite_features(features: Tensor, side: str) -> None:
    """Raise ValueError when features (n, d) hold NaN or infinity: which side, how many of them, and which images come first.

    Without it one NaN gave a distance of 0: Python's max(0.0, nan) is 0.0.
    """
    # NaN and infinity are least or largest, so one pass tells that all is well; to look at each number takes ten times as long
    if not features.numel() or all(extreme.isfinite() for extreme in features.aminmax()):
        return
    finite = features.isfinite()
    images = (~finite).any(1).nonzero().flatten().tolist()
    first = ", ".join(str(image) for image in images[:NUM_NAMED]) + (", ..." if len(images) > NUM_NAMED else "")
    raise ValueError(
        f"the features of the {side} are not finite: {int((~finite).sum())} of {features.numel()} numbers are NaN or infinite, in "
        f"{len(images)} of {len(features)} images (numbers {first}, counted from 0). Look at the weights of the extractor and "
        "of what made these images"
    )


def _centred(features: Tensor) -> tuple[Array, Array]:
    """Return the mean (d,) and the deviations from it (n, d) in float64."""
    x: Array = features.detach()
    # on a CPU by NumPy: its BLAS is faster than torch's on processors that are not Intel's, and torch's threads, which spin after
    # every operation, would take a core from it
    if x.device.type in ("cpu", "mps"):  # Apple's GPUs have no float64
        x = (x if x.dtype == torch.float64 else x.float()).cpu().numpy().astype(np.float64)
    else:
        x = x.to(torch.float64, copy=True)
    mean = x.mean(0)
    x -= mean
    return mean, x


def _squared(x: Array) -> float:
    """Return the sum of squares."""
    return float(x.ravel() @ x.ravel())


def _sum_of_roots(product: np.ndarray, *, rank: int) -> tuple[float, float]:
    """Return the sum of the singular values, as roots of the Gram matrix's eigenvalues, and by how much it may be wrong."""
    small = product if product.shape[0] <= product.shape[1] else product.T
    # at most `rank` singular values are not 0: deviations from a mean have one degree of freedom less than images
    squares = np.linalg.eigvalsh(small @ small.T)[-rank:].clip(min=0)
    roots = np.sqrt(squares)
    error = len(small) * np.finfo(np.float64).eps * squares[-1]  # of every eigenvalue: forming the matrix and solving
    if error == 0:
        return 0.0, 0.0
    return float(roots.sum()), float(np.minimum(error / np.maximum(roots, np.sqrt(error)), np.sqrt(error)).sum())


def _square_root_factor(deviations: Array) -> Array:
    """Return a factor with at most d rows and the same F^T F: the triangular one where there are more images than features."""
    if len(deviations) <= deviations.shape[1]:
        return deviations
    # exact for singular covariances too, unlike Cholesky
    return torch.linalg.qr(deviations, mode="r").R if isinstance(deviations, Tensor) else np.linalg.qr(deviations, mode="r")


class FrechetDistance(Metric):
    """The distance as a torchmetrics metric over images.

    Features are computed in float32 outside autocast and kept until `compute`, so that ranks can be gathered.

    Args:
        extractor: images in [0, 1] -> features.
    """

    full_state_update = False

    def __init__(self, extractor: Extractor) -> None:
        super().__init__()
        self.extractor = extractor
        self.add_state("real_features", default=[], dist_reduce_fx="cat")
        self.add_state("fake_features", default=[], dist_reduce_fx="cat")
        self.real_features: list[Tensor] | Tensor
        self.fake_features: list[Tensor] | Tensor

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (B, 3, H, W) in [0, 1] to one side."""
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False), exact_float32():
            features = self.extractor(images.float()).float()
        side = self.real_features if real else self.fake_features
        assert isinstance(side, list)
        side.append(features)

    def compute(self) -> Tensor:
        """Compute the distance.

        Returns:
            Scalar float64.

        Raises:
            ValueError: when a side has fewer than two images, or features that are not finite.
        """
        if not (len(self.real_features) and len(self.fake_features)):
            raise ValueError("a Frechet distance needs real and generated images: call update(images, real=...) with both")
        real, fake = (side if isinstance(side, Tensor) else torch.cat(side) for side in (self.real_features, self.fake_features))
        return torch.tensor(frechet_distance(real, fake, sides=("real images", "generated images")), dtype=torch.float64)
