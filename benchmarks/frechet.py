"""The Frechet distance of 747 x 2048 features against torchmetrics' `compute`."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from benchmarks.against_listing import Bench
from benchmarks.measure import paired
from benchmarks.rows import Row
from maskgit_lab.evaluation.frechet import frechet_distance

NUM_PICTURES, NUM_FEATURES = 747, 2048


class Given(nn.Module):
    """An extractor that takes features for pictures."""

    num_features = NUM_FEATURES

    def forward(self, features: Tensor) -> Tensor:
        """Return what came."""
        return features.flatten(1)


def frechet(bench: Bench, size: str) -> Iterator[Row]:
    """Compare `compute`; both values go into the row."""
    g = torch.Generator().manual_seed(0)
    mixing = torch.randn(64, NUM_FEATURES, generator=g)
    real, fake = (
        (torch.randn(NUM_PICTURES, 64, generator=g) @ mixing + torch.randn(NUM_PICTURES, NUM_FEATURES, generator=g) + shift)
        .abs()
        .to(bench.device)
        for shift in (0.0, 0.1)
    )
    theirs = FrechetInceptionDistance(feature=Given(), input_img_size=(NUM_FEATURES, 1, 1)).to(bench.device)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    values: dict[str, float] = {}

    def their_compute() -> None:
        theirs._computed = None  # torchmetrics would remember it
        values["theirs"] = float(theirs.compute())

    def our_compute() -> None:
        values["ours"] = frechet_distance(real, fake)

    timed = paired(our_compute, their_compute, pairs=bench.pairs, device=bench.device, warm=False)
    yield Row.of(
        f"Frechet distance, {NUM_PICTURES} x {NUM_FEATURES} twice", "torchmetrics' compute", timed, key="frechet",
        target=bench.target("frechet"), extra=values,
    )  # fmt: skip
