"""The distance against its textbook form and against torchmetrics."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from maskgit_lab.evaluation import frechet
from maskgit_lab.evaluation.features import Extractor
from maskgit_lab.evaluation.frechet import FrechetDistance, frechet_distance

pytestmark = pytest.mark.processor


class ColourMoments(Extractor):
    """Mean and spread of each channel."""

    name = "moments"
    num_features = 6
    protocol = {"extractor": "moments"}  # noqa: RUF012

    def forward(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float() / 255
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], dim=1)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_eigenvalues(a: Tensor, b: Tensor) -> float:
    product = torch.cov(a.T) @ torch.cov(b.T)
    shift = (a.mean(0) - b.mean(0)).square().sum()
    cross = torch.linalg.eigvals(product).real.clamp(min=0).sqrt().sum()
    return float(shift + torch.cov(a.T).trace() + torch.cov(b.T).trace() - 2 * cross)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one with every singular value decomposition."""
    calls: list[int] = []
    svd = np.linalg.svd

    def counted(*args: Any, **more: Any) -> Any:
        calls.append(1)
        return svd(*args, **more)

    monkeypatch.setattr(np.linalg, "svd", counted)
    return calls


def test_frechet_distance_of_distant_sets_needs_no_singular_values(monkeypatch: pytest.MonkeyPatch):
    calls = spied(monkeypatch)
    a, b = randn(60, 200, seed=0), randn(50, 200, seed=1) + 0.5
    assert frechet_distance(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-6)
    assert not calls


@pytest.mark.parametrize("decay", [0.5, 0.7])
def test_frechet_distance_computes_singular_values_where_small_ones_matter(monkeypatch: pytest.MonkeyPatch, decay: float):
    # directions that shrink to nothing: roots of their squares would be noise, as large as this distance
    calls = spied(monkeypatch)
    shrinking = torch.diag(decay ** torch.arange(60, dtype=torch.float64))
    a = randn(200, 60, seed=0) @ shrinking
    b = a + 1e-9
    assert frechet_distance(a, b) == pytest.approx(0, abs=1e-12)
    assert calls


@pytest.mark.parametrize(("n1", "n2", "d"), [(200, 150, 12), (30, 40, 25), (60, 20, 40)])
def test_frechet_distance_equals_the_eigenvalue_form(n1, n2, d):
    a, b = randn(n1, d, seed=0) @ randn(d, d, seed=1), randn(n2, d, seed=2) + 0.3
    assert frechet_distance(a, b) == pytest.approx(by_eigenvalues(a, b), rel=1e-6)


def test_frechet_distance_is_exact_for_singular_covariances():
    a, b = randn(100, 3, seed=0), randn(100, 3, seed=1)
    wide = torch.zeros(100, 7, dtype=torch.float64)
    assert frechet_distance(torch.cat([a, wide], 1), torch.cat([b, wide], 1)) == pytest.approx(frechet_distance(a, b))


@pytest.mark.parametrize(("n", "d"), [(50, 10), (10, 50)])
def test_frechet_distance_of_a_set_from_itself_is_zero(n, d):
    a = randn(n, d, seed=0)
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 10), (10, 50)])
def test_frechet_distance_of_a_shift_is_its_squared_norm(n, d):
    a, shift = randn(n, d, seed=0), randn(d, seed=1)
    assert frechet_distance(a, a + shift) == pytest.approx(float(shift.square().sum()))


def test_frechet_distance_is_symmetric():
    a, b = randn(20, 30, seed=0), 2 * randn(45, 30, seed=1)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_frechet_distance_refuses_one_image():
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(randn(1, 4, seed=0), randn(5, 4, seed=1))


def test_frechet_distance_that_was_not_fed_says_what_is_missing():
    metric = FrechetDistance(ColourMoments())
    metric.update(torch.rand(4, 3, 8, 8), real=True)
    with pytest.raises(ValueError, match="real and generated"), pytest.warns(UserWarning, match="compute"):
        FrechetDistance(ColourMoments()).compute()
    with pytest.raises(ValueError, match="real and generated"):
        metric.compute()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pytorch-fid's call of SciPy's sqrtm
@pytest.mark.parametrize(("n1", "n2", "d"), [(300, 260, 64), (747, 747, 128), (90, 1000, 32)])
def test_frechet_distance_agrees_with_pytorch_fid(n1: int, n2: int, d: int):
    from pytorch_fid.fid_score import calculate_frechet_distance

    g = torch.Generator().manual_seed(n1)
    mixing = torch.randn(d, d, generator=g, dtype=torch.float64)
    a = torch.randn(n1, d, generator=g, dtype=torch.float64) @ mixing
    b = 0.9 * torch.randn(n2, d, generator=g, dtype=torch.float64) @ mixing + 0.3
    statistics = [(x.mean(0).numpy(), np.cov(x.numpy(), rowvar=False)) for x in (a, b)]
    expected = calculate_frechet_distance(*statistics[0], *statistics[1])
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_frechet_distance_agrees_with_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    real = torch.randint(0, 256, (40, 3, 16, 16), generator=generator, dtype=torch.uint8)
    fake = torch.randint(0, 200, (30, 3, 16, 16), generator=generator, dtype=torch.uint8)
    theirs = FrechetInceptionDistance(feature=ColourMoments(), input_img_size=(3, 16, 16))
    ours = FrechetDistance(ColourMoments())
    for images, is_real in ((real, True), (fake, False)):
        theirs.update(images, real=is_real)
        for part in images.split(16):
            ours.update(part.float() / 255, real=is_real)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_frechet_distance_is_the_same_under_autocast():
    generator = torch.Generator().manual_seed(0)
    sides = [torch.rand(12, 3, 8, 8, generator=generator) for _ in range(2)]
    values = []
    for enabled in (False, True):
        metric = FrechetDistance(ColourMoments())
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            metric.update(sides[0], real=True)
            metric.update(sides[1], real=False)
        values.append(float(metric.compute()))
    assert values[0] == values[1]


@pytest.mark.parametrize("count", [5, 40])
def test_square_root_factor_takes_tensors_through_the_steps_of_arrays(count: int):
    """Run here on a CPU's tensors: operators and factors must not depend on which library holds the numbers."""
    deviations = torch.randn(count, 20, dtype=torch.float64)
    for array in (deviations, deviations.numpy()):
        factor = np.asarray(frechet._square_root_factor(array))
        assert len(factor) == min(count, 20)
        np.testing.assert_allclose(factor.T @ factor, (deviations.T @ deviations).numpy(), atol=1e-12)
        assert frechet._squared(array) == pytest.approx(float(deviations.square().sum()))


def test_frechet_distance_does_not_change_the_features():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        a, b = (torch.randn(6, 4).to(dtype) for _ in range(2))
        kept = a.clone(), b.clone()
        frechet_distance(a, b)
        assert torch.equal(a, kept[0])
        assert torch.equal(b, kept[1])


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_frechet_distance_refuses_a_number_that_is_not_finite_wherever_it_is(side: int, value: float):
    for position in range(125):
        features = [randn(30, 25, seed=0), randn(25, 25, seed=1)]
        image, feature = (7 * position) % len(features[side]), position % 25
        features[side][image, feature] = value
        name = ("outputs", "truth")[side]
        message = rf"the {name} are not finite: 1 of \d+ numbers .* in 1 of \d+ images \(numbers {image}, counted from 0\)"
        with pytest.raises(ValueError, match=message):
            frechet_distance(features[0], features[1], sides=("outputs", "truth"))


def test_frechet_distance_says_how_many_images_have_features_that_are_not_finite():
    a, b = randn(30, 4, seed=0), randn(30, 4, seed=1)
    b[2:12, 1:3] = torch.nan
    with pytest.raises(ValueError, match=r"second set .* 20 of 120 numbers .* 10 of 30 images \(numbers 2, 3, 4, 5, 6, \.\.\."):
        frechet_distance(a, b)


def test_frechet_distance_refuses_features_whose_powers_would_not_be_finite():
    with pytest.raises(ValueError, match="features of the second set are too large"):
        frechet_distance(randn(6, 3, seed=0), randn(6, 3, seed=1) * 1e200)


def test_frechet_distance_of_images_names_the_side_of_a_broken_extractor():
    class Broken(ColourMoments):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images).log()  # of a black image: -infinity

    metric = FrechetDistance(Broken())
    metric.update(torch.rand(3, 3, 8, 8), real=True)
    metric.update(torch.zeros(3, 3, 8, 8), real=False)
    with pytest.raises(ValueError, match="features of the generated images are not finite"):
        metric.compute()
