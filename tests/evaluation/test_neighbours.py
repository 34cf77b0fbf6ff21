"""Precision and recall, against plain loops in float64."""

import numpy as np
import pytest
import torch

from maskgit_lab.evaluation.neighbours import precision_recall


def written_out(made: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float]:
    def share(points: np.ndarray, manifold: np.ndarray) -> float:
        radii = [sorted(np.linalg.norm(a - b) for j, b in enumerate(manifold) if j != i)[k - 1] for i, a in enumerate(manifold)]
        return float(np.mean([any(np.linalg.norm(p - m) <= r for m, r in zip(manifold, radii, strict=True)) for p in points]))

    return share(made, real), share(real, made)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 0.7, 100.0])
def test_precision_recall_equals_its_formula(k: int, shift: float):
    rng = np.random.default_rng(k)
    made, real = rng.normal(size=(23, 6)) * 1.3 + shift, rng.normal(size=(17, 6))
    found = precision_recall(torch.from_numpy(made), torch.from_numpy(real), k=k)
    assert (found.precision, found.recall) == pytest.approx(written_out(made, real, k))


def test_precision_recall_of_the_truth_itself_is_perfect_and_of_one_mode_has_no_recall():
    real = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)) + 1000
    same = precision_recall(real, real)
    assert (same.precision, same.recall) == (1, 1)
    mode = precision_recall(real[:1].expand(40, 4), real)
    assert mode.precision == 1
    assert mode.recall == pytest.approx(1 / 40)


def test_precision_recall_of_features_that_are_all_equal_goes_by_whether_the_sets_are():
    ones, twos = torch.ones(9, 3), torch.full((9, 3), 2.0)
    same, apart = precision_recall(ones, ones), precision_recall(ones, twos)
    assert (same.precision, same.recall, apart.precision, apart.recall) == (1, 1, 0, 0)


def test_precision_recall_refuses_too_few_images_and_features_that_are_not_finite():
    with pytest.raises(ValueError, match=r"neighbours must be at least 1 and below the number of images a side \(3 and 9\), got 3"):
        precision_recall(torch.randn(3, 2), torch.randn(9, 2))
    bad = torch.randn(9, 2)
    bad[1, 1] = torch.nan
    with pytest.raises(ValueError, match="features of the truth are not finite"):
        precision_recall(torch.randn(9, 2), bad)
