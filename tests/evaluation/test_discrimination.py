"""P-IDS and U-IDS: the classifier is at the minimum of its problem, and mistakes are counted as they are defined."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from maskgit_lab.evaluation.discrimination import discrimination, fit_svm


def written_out_loss(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    loss = sum(w * w for w in weights) / 2
    for row, label in zip(x, y, strict=True):
        loss += max(0.0, 1 - label * (sum(a * b for a, b in zip(weights[:-1], row, strict=True)) + weights[-1])) ** 2
    return float(loss)


@pytest.mark.parametrize(("count", "width"), [(30, 4), (8, 12)])
@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_fit_svm_finds_the_minimum_of_the_written_out_problem(count: int, width: int, scale: float):
    rng = np.random.default_rng(count)
    x, y = rng.normal(size=(2 * count, width)) * scale, np.repeat([1.0, -1.0], count)
    x[:count] += 0.4 * scale
    found = fit_svm(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    best = minimize(written_out_loss, np.zeros(width + 1), args=(x, y), method="BFGS", options={"gtol": 1e-7})
    assert written_out_loss(found, x, y) <= best.fun * (1 + 1e-9)
    np.testing.assert_allclose(found, best.x, atol=1e-4 * abs(best.x).max())


def test_discrimination_counts_mistakes_of_the_classifier():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(40, 3, generator=generator)
    made = real + 0.5 + torch.randn(40, 3, generator=generator)
    found = discrimination(made, real)
    labels = torch.tensor([1.0] * 40 + [-1.0] * 40, dtype=torch.float64)
    weights = fit_svm(torch.cat([real, made]).double(), labels)

    def decision(row: torch.Tensor) -> float:
        return float(row.double() @ weights[:-1] + weights[-1])

    wrong = sum(decision(row) < 0 for row in real) + sum(decision(row) > 0 for row in made)
    assert found.unpaired == pytest.approx(wrong / 80)
    assert found.paired == pytest.approx(sum(decision(a) > decision(b) for a, b in zip(made, real, strict=True)) / 40)
    assert 0 < found.unpaired < 0.5


@pytest.mark.parametrize("make", [lambda: torch.randn(30, 5) + 7, lambda: torch.ones(30, 5), lambda: torch.randn(5, 40)])
def test_discrimination_of_the_truth_itself_is_a_half(make):
    torch.manual_seed(0)
    real = make()
    found = discrimination(real, real)
    assert (found.unpaired, found.paired) == (0.5, 0.5)


def test_discrimination_of_what_is_easily_told_apart_is_0_and_of_other_scenes_has_no_pairs():
    torch.manual_seed(0)
    real = torch.randn(30, 5)
    found = discrimination(real + 20, real)
    assert (found.unpaired, found.paired) == (0, 0)
    assert discrimination(torch.randn(20, 5), real, paired=False).paired is None


def test_discrimination_refuses_pairs_that_are_none_and_features_that_are_not_finite():
    with pytest.raises(ValueError, match="in pairs equally many, got 4 and 5"):
        discrimination(torch.randn(4, 2), torch.randn(5, 2))
    with pytest.raises(ValueError, match="features of the outputs are not finite"):
        discrimination(torch.full((5, 2), torch.inf), torch.randn(5, 2))
