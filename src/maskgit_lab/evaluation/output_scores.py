"""Scores of one set of output images, added batch by batch: the distance of distributions, and measures of the hole only."""

import math
from dataclasses import KW_ONLY, dataclass, field

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.image.kid import poly_mmd

from maskgit_lab.core.exact_float32 import exact_float32
from maskgit_lab.data.image_set import unit_range
from maskgit_lab.evaluation.frechet import frechet_distance, require_finite_features
from maskgit_lab.evaluation.hole_metrics import HoleMetric, hole_metrics
from maskgit_lab.evaluation.truth import Truth, extract

# which way is better, by the start of a score's name
HIGHER_IS_BETTER = ("psnr", "ssim", "token_accuracy", "best_psnr", "best_ssim", "diversity")


@dataclass(eq=False)
class OutputScores:
    """Collect scores of images against their truth; batches may come in any order."""

    truth: Truth  # images, holes, features and the extractor
    _: KW_ONLY
    paired: bool = True  # False for images of other scenes: they are measured only as a distribution
    lpips: Metric | None = None  # torchmetrics' LPIPS
    device: str = "cpu"  # where everything is computed
    features: list[Tensor] = field(default_factory=list, init=False)
    in_hole: dict[str, HoleMetric] = field(default_factory=hole_metrics, init=False)
    lpips_sum: float = field(default=0.0, init=False)
    correct: int = field(default=0, init=False)  # tokens
    hidden: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for metric in (*self.in_hole.values(), self.lpips):
            if metric is not None:
                metric.to(self.device)

    def add(self, images: Tensor, part: slice) -> None:
        """Add images uint8 (B, H, W, 3), the outputs for the truth's images `part`."""
        self.features.append(extract(self.truth.extractor, images, device=self.device))
        if not self.paired:
            return
        filled, true = (unit_range(pixels).to(self.device) for pixels in (images, self.truth.images[part]))
        if self.truth.holes is not None:
            holes = torch.from_numpy(self.truth.holes[part].copy()).to(self.device)
            for metric in self.in_hole.values():
                metric.update(filled, true, holes)
        if self.lpips is not None:
            with torch.no_grad(), exact_float32():
                self.lpips_sum += float(self.lpips(filled, true)) * len(filled)

    def add_tokens(self, tokens: Tensor, true_tokens: Tensor, mask: Tensor) -> None:
        """Count the hidden tokens that were predicted exactly; all (B, N)."""
        self.correct += int(((tokens == true_tokens) & mask).sum())
        self.hidden += int(mask.sum())

    def compute(self) -> dict[str, float]:
        """Return every score by name; raise ValueError where features are not finite or there are fewer than two images."""
        name, features = self.truth.extractor.name, torch.cat(self.features)
        equally_many = min(len(features), len(self.truth))
        scores = {
            distance_name(name): frechet_distance(features, self.truth.features, sides=("outputs", "truth")),
            distance_name(name, "kd"): kernel_distance(features[:equally_many], self.truth.features[:equally_many]),
        }
        if not self.paired:
            return scores
        scores[f"feature_distance_{name}"] = float((features - self.truth.features).norm(dim=1).mean())
        if self.truth.holes is not None:
            scores |= {key: float(metric.compute()) for key, metric in self.in_hole.items()}
        if self.lpips is not None:
            if not math.isfinite(self.lpips_sum):
                raise ValueError("lpips is not finite: look at the weights of its network")
            scores["lpips"] = self.lpips_sum / len(features)
        if self.hidden:
            scores["token_accuracy"] = self.correct / self.hidden
        return scores


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Compute the unbiased squared maximum mean discrepancy, cubic kernel (Binkowski et al. 2018), all images in one set.

    Published KID averages it over random subsets; the whole set needs no draw and has less variance.

    Args:
        a: (n, d) features.
        b: (n, d) features, equally many.

    Returns:
        The discrepancy; it can be negative.

    Raises:
        ValueError: when there are fewer than two images a side, or features are not finite.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a kernel distance needs at least two images a side, got {len(a)} and {len(b)}")
    for features, side in ((a, "first set"), (b, "second set")):
        require_finite_features(features, side)
    return float(poly_mmd(a.double(), b.double()))


def distance_name(extractor: str, kind: str = "fd") -> str:
    """Return fid or kid for the 2015 Inception only, else fd_<extractor> or kd_<extractor>."""
    published = {"fd": "fid", "kd": "kid"}
    return published[kind] if extractor == "inception" else f"{kind}_{extractor}"


def is_higher_better(score: str) -> bool:
    """Return whether larger values of a score are better."""
    return score.startswith(HIGHER_IS_BETTER)
