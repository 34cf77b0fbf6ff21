"""Several fills of one hole: how far they lie apart, and how near the nearest of them comes to the truth."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from maskgit_lab.data.image_set import unit_range
from maskgit_lab.evaluation.hole_metrics import HoleMAE, HoleMetric, HolePSNR, HoleSSIM

# score -> its metric, and whether larger is better
BEST_OF: dict[str, tuple[type[HoleMetric], bool]] = {
    "best_psnr_hole": (HolePSNR, True), "best_ssim_hole": (HoleSSIM, True), "best_mae_hole": (HoleMAE, False),
}  # fmt: skip


class CandidateScores:
    """Collect scores of k candidates for each hole, as means over the images that have one.

    diversity_hole: mean absolute difference between two candidates, in 8-bit grey values over the hole, averaged over all pairs.
    best_*: the score of each image's best candidate, chosen by the truth: what a user who picks by eye could reach at most.
    """

    def __init__(self) -> None:
        self.sums = dict.fromkeys(("diversity_hole", *BEST_OF), 0.0)
        self.count = 0

    def add(self, candidates: Sequence[Tensor], truth: Tensor, holes: Tensor) -> None:
        """Add a batch: k >= 2 tensors uint8 (B, H, W, 3), the truth of the same shape, holes (B, H, W) bool, on one device."""
        some = holes.flatten(1).any(1)
        if not bool(some.any()):
            return
        filled, true, inside = [unit_range(images[some]) for images in candidates], unit_range(truth[some]), holes[some]
        difference = HoleMAE()
        pairs = torch.stack([difference.per_image(a, b, inside) for a, b in combinations(filled, 2)])  # (pairs, B)
        self.sums["diversity_hole"] += float(pairs.mean(0).sum())
        for name, (kind, higher) in BEST_OF.items():
            scores = torch.stack([kind().per_image(images, true, inside) for images in filled])  # (k, B)
            self.sums[name] += float((scores.amax(0) if higher else scores.amin(0)).sum())
        self.count += int(some.sum())

    def compute(self) -> dict[str, float]:
        """Return every score by name, NaN when no image had a hole."""
        return {name: total / self.count if self.count else torch.nan for name, total in self.sums.items()}
