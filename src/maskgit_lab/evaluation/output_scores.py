"""Scores of one set of output images, added batch by batch: the distance of distributions, and measures of the hole only."""

from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from maskgit_lab.data.image_set import unit_range
from maskgit_lab.evaluation.discrimination import discrimination
from maskgit_lab.evaluation.frechet import frechet_distance, require_finite_features
from maskgit_lab.evaluation.hole_metrics import hole_metrics
from maskgit_lab.evaluation.neighbours import precision_recall
from maskgit_lab.evaluation.rulers import PLAIN, Rulers
from maskgit_lab.evaluation.truth import Truth, extract

FEATURES, TOKENS = "features", "tokens"  # values that are no scores
FEWEST = 2  # images that have a covariance


@dataclass(eq=False)
class OutputScores:
    """Collect scores of images against their truth; batches may come in any order."""

    truth: Truth  # images, holes, features and the extractor
    _: KW_ONLY
    paired: bool = True  # False for images of other scenes: they are measured only as a distribution
    rulers: Rulers = PLAIN
    device: str = "cpu"  # where everything is computed
    parts: list[tuple[slice, dict[str, Tensor]]] = field(default_factory=list, init=False)  # values (B, ...) of each batch

    def __post_init__(self) -> None:
        self._in_hole = {name: metric.to(self.device) for name, metric in hole_metrics().items()}
        if self.rulers.lpips is not None:
            self.rulers.lpips.to(self.device)

    def add(self, images: Tensor, part: slice) -> None:
        """Add images uint8 (B, H, W, 3), the outputs for the truth's images `part`."""
        found = {FEATURES: extract(self.truth.extractor, images, device=self.device)}
        if self.paired:
            filled, true = (unit_range(pixels).to(self.device) for pixels in (images, self.truth.images[part]))
            if self.truth.holes is not None:
                holes = torch.from_numpy(self.truth.holes[part].copy()).to(self.device)
                found |= {name: metric.of_each(filled, true, holes).cpu() for name, metric in self._in_hole.items()}
            if self.rulers.lpips is not None:
                found["lpips"] = self.rulers.lpips(filled, true).cpu()
        self.parts.append((part, found))

    def add_tokens(self, tokens: Tensor, true_tokens: Tensor, mask: Tensor) -> None:
        """Count the hidden tokens of the batch just added that were predicted exactly; all (B, N)."""
        _, found = self.parts[-1]
        found[TOKENS] = torch.stack([((tokens == true_tokens) & mask).sum(1), mask.sum(1)], dim=1).cpu()  # (B, 2)

    def compute(self) -> dict[str, float]:
        """Return every score by name; raise ValueError where features are not finite or there are fewer than two images.

        What cannot be measured is left out: precision and recall of fewer images than neighbours, holes where there are none.
        """
        name, features = self.truth.extractor.name, self._values(FEATURES)
        true = self.truth.features
        equally_many = min(len(features), len(true))
        scores = {
            distance_name(name): frechet_distance(features, true, sides=("outputs", "truth")),
            distance_name(name, "kd"): kernel_distance(features[:equally_many], true[:equally_many]),
        }
        k = self.rulers.neighbours
        if k is not None and min(len(features), len(true)) > k:
            both = precision_recall(features, true, k=k)
            scores |= {f"precision_{name}": both.precision, f"recall_{name}": both.recall}
        if self.rulers.discrimination:
            found = discrimination(features, true, paired=self.paired)
            scores |= {} if found.paired is None else {f"p_ids_{name}": found.paired}
            scores[f"u_ids_{name}"] = found.unpaired
        return scores | (self._means(np.ones(len(features), dtype=bool)) if self.paired else {})

    def by_hole_share(self) -> dict[str, dict[str, float]]:
        """Return the scores of each bin of hole shares; one without images has none, one with a single image no distance."""
        if not self.paired or self.truth.holes is None:
            return {}
        name, features = self.truth.extractor.name, self._values(FEATURES)
        bins = {}
        for label, inside in self.rulers.bins.members(self.truth.holes).items():
            chosen, scores = torch.from_numpy(inside), dict[str, float]()
            if int(inside.sum()) >= FEWEST:
                scores[distance_name(name)] = frechet_distance(features[chosen], self.truth.features[chosen])
            bins[label] = scores | self._means(inside)
        return bins

    def _means(self, inside: np.ndarray) -> dict[str, float]:
        """Return the means over the images chosen by `inside` (n,) bool of what is measured image by image."""
        chosen = torch.from_numpy(inside)
        features = self._values(FEATURES)
        name = f"feature_distance_{self.truth.extractor.name}"
        values = {name: (features - self.truth.features).norm(dim=1)}
        values |= {key: self._values(key) for key in self.parts[0][1] if key not in (FEATURES, TOKENS)}
        if "lpips" in values and not bool(values["lpips"].isfinite().all()):
            raise ValueError("lpips is not finite: look at the weights of its network")
        scores = {}
        for key, of_each in values.items():
            there = of_each[chosen & ~of_each.isnan()]  # NaN: an image without a hole
            if len(there):
                scores[key] = float(there.double().mean())
        if all(TOKENS in found for _, found in self.parts):
            correct, hidden = self._values(TOKENS)[chosen].sum(0).tolist()
            scores |= {"token_accuracy": correct / hidden} if hidden else {}
        return scores

    def _values(self, name: str) -> Tensor:
        """Return a value of all images in the order of the truth."""
        ordered = sorted(self.parts, key=lambda part: part[0].start)
        return torch.cat([found[name] for _, found in ordered])


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
