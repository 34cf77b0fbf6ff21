"""Scores of outputs, against the plain formulas on whole arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from maskgit_lab.evaluation.baselines import OTHER_REAL, reconstruct, reference_outputs, score_outputs
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.frechet import frechet_distance
from maskgit_lab.evaluation.output_scores import OutputScores, distance_name, kernel_distance
from maskgit_lab.evaluation.perceptual_similarity import PerceptualSimilarity
from maskgit_lab.evaluation.rulers import Rulers
from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.evaluation.truth import Truth, read_truth
from tests.support.builders import inpaint_set, pictures, tokenizer


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    test = inpaint_set(7)
    assert test.truth is not None
    extractor = TokenizerFeatures(tokenizer=tokenizer())
    return read_truth(test.truth, test.holes, extractor, cache=tmp_path, batch_size=3, device="cpu")


def written_out_kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n = len(a)
    within = sum(kernel(s[i], s[j]) for s in (a, b) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    between = sum(kernel(x, y) for x in a for y in b) / n**2
    return within - 2 * between


def test_kernel_distance_equals_its_formula():
    a, b = torch.randn(2, 9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert kernel_distance(a, b) == pytest.approx(written_out_kernel_distance(a.numpy(), b.numpy()), rel=1e-9)


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_score_outputs_of_any_batch_size_equals_the_scores_of_the_whole(truth: Truth, batch_size: int):
    outputs = pictures(7, seed=4)
    scores = score_outputs(outputs, truth, batch_size=batch_size)
    features = truth.extractor(torch.from_numpy(outputs).permute(0, 3, 1, 2).float() / 255)
    assert scores["fd_tokenizer"] == pytest.approx(frechet_distance(features, truth.features), rel=1e-5)
    assert scores["feature_distance_tokenizer"] == pytest.approx(float((features - truth.features).norm(dim=1).mean()), rel=1e-5)
    assert truth.holes is not None
    errors = [(outputs[i].astype(float) - truth.images[i])[truth.holes[i]] for i in range(7)]
    assert scores["mae_hole"] == pytest.approx(np.mean([np.abs(e).mean() for e in errors]), rel=1e-5)


def test_score_outputs_of_the_truth_itself_is_perfect(truth: Truth):
    scores = score_outputs(truth.images, truth, batch_size=4)
    assert scores["fd_tokenizer"] == pytest.approx(0, abs=1e-5)
    assert scores["mae_hole"] == 0
    assert scores["ssim_hole"] == pytest.approx(1)


def test_output_scores_count_tokens_where_they_were_hidden(truth: Truth):
    scores = OutputScores(truth)
    scores.add(torch.from_numpy(truth.images), slice(0, 7))
    true = torch.zeros(7, 4, dtype=torch.int64)
    mask = torch.tensor([[True, True, False, False], [False, True, False, True], *[[False] * 4] * 5])
    scores.add_tokens(torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], *[[1] * 4] * 5]), true, mask)
    assert scores.compute()["token_accuracy"] == 0.5


def test_score_outputs_measures_other_scenes_as_a_distribution_alone(truth: Truth):
    assert set(score_outputs(pictures(9, seed=5), truth, batch_size=4, paired=False)) == {"fd_tokenizer", "kd_tokenizer"}


def test_reference_outputs_are_floors_and_ceilings():
    test, frozen = inpaint_set(7), tokenizer()
    outputs = reference_outputs(test, tokenizer=frozen, others=pictures(20, seed=8), batch_size=4)
    assert list(outputs) == [
        "grey fill", "diffusion fill", "VQGAN reconstruction, decoded", "VQGAN reconstruction, composited", OTHER_REAL
    ]  # fmt: skip
    assert len(outputs[OTHER_REAL]) == 7
    assert test.truth is not None
    composited = outputs["VQGAN reconstruction, composited"]
    np.testing.assert_array_equal(composited[~test.holes], test.truth[~test.holes])
    np.testing.assert_array_equal(reconstruct(frozen, test.truth, batch_size=2), outputs["VQGAN reconstruction, decoded"])


def test_read_truth_caches_features_by_content_and_extractor(tmp_path: Path):
    class Counting(TokenizerFeatures):
        calls = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            Counting.calls += len(images)
            return super().forward(images)

    test = inpaint_set(5)
    assert test.truth is not None
    for images in (test.truth, test.truth.copy()):
        read_truth(images, None, Counting(tokenizer=tokenizer()), cache=tmp_path, batch_size=2, device="cpu")
    assert Counting.calls == 5
    read_truth(pictures(5, seed=77), None, Counting(tokenizer=tokenizer()), cache=tmp_path, batch_size=2, device="cpu")
    read_truth(test.truth, None, Counting(tokenizer=tokenizer(seed=3)), cache=tmp_path, batch_size=2, device="cpu")
    assert Counting.calls == 15


def test_distance_name_is_a_published_one_for_the_inception_of_2015_only():
    assert (distance_name("inception"), distance_name("inception", "kd")) == ("fid", "kid")
    assert (distance_name("squeezenet"), distance_name("squeezenet", "kd")) == ("fd_squeezenet", "kd_squeezenet")


def test_is_higher_better_knows_the_direction_of_every_score():
    assert [is_higher_better(s) for s in ("psnr_hole", "ssim_hole", "token_accuracy")] == [True] * 3
    assert not any(is_higher_better(s) for s in ("fid", "kd_x", "mae_hole", "lpips", "feature_distance_x"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_kernel_distance_refuses_features_that_are_not_finite_and_single_images(value: float):
    a, b = torch.randn(2, 9, 5)
    with pytest.raises(ValueError, match="at least two images a side, got 1 and 1"):
        kernel_distance(a[:1], b[:1])
    b[4, 2] = value
    with pytest.raises(ValueError, match="second set are not finite: 1 of 45"):
        kernel_distance(a, b)


@pytest.mark.parametrize("side", ["outputs", "truth"])
def test_output_scores_refuse_features_that_are_not_finite_and_name_the_side(truth: Truth, side: str):
    scores = OutputScores(truth)
    scores.add(torch.from_numpy(truth.images), slice(0, 7))
    (truth.features if side == "truth" else scores.parts[0][1]["features"])[3, 1] = torch.nan
    with pytest.raises(ValueError, match=rf"features of the {side} are not finite: 1 of .* in 1 of 7 images"):
        scores.compute()


def test_output_scores_of_a_single_image_are_refused(truth: Truth):
    scores = OutputScores(truth)
    scores.add(torch.from_numpy(truth.images[:1]), slice(0, 1))
    with pytest.raises(ValueError, match="needs at least two images a side, got 1 and 7"):
        scores.compute()


def test_output_scores_refuse_an_lpips_that_is_not_finite(truth: Truth):
    class Broken(PerceptualSimilarity):
        def forward(self, images: Tensor, truth: Tensor) -> Tensor:
            return torch.full((len(images),), torch.nan)

    scores = OutputScores(truth, rulers=Rulers(lpips=Broken(torch.nn.Identity(), {})))
    scores.add(torch.from_numpy(truth.images), slice(0, 7))
    with pytest.raises(ValueError, match="lpips is not finite"):
        scores.compute()
