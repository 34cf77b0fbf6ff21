"""Diversity and best-of-k against plain loops over images and pairs."""

from itertools import combinations

import numpy as np
import pytest
import torch

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation import batches, fill_set
from maskgit_lab.evaluation.candidates import CandidateScores
from maskgit_lab.evaluation.fill_set import Filler
from tests.support.builders import boxes, model, pictures, tokenizer


def test_candidate_scores_equal_plain_loops_and_leave_out_images_without_a_hole():
    fills, truth, holes = [pictures(5, seed=seed) for seed in (1, 2, 3)], pictures(5, seed=4), boxes(5)
    holes[2] = False
    scores = CandidateScores()
    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
        tensors = [torch.from_numpy(array[part]) for array in (*fills, truth)]
        scores.add(tensors[:3], tensors[3], torch.from_numpy(holes[part]))

    def mae(a: np.ndarray, b: np.ndarray, i: int) -> float:
        return float(np.abs(a[i][holes[i]].astype(float) - b[i][holes[i]]).mean())

    some = [0, 1, 3, 4]
    found = scores.compute()
    apart = np.mean([[mae(a, b, i) for a, b in combinations(fills, 2)] for i in some])
    assert found["diversity_hole"] == pytest.approx(float(apart), rel=1e-5)
    assert found["best_mae_hole"] == pytest.approx(float(np.mean([min(mae(a, truth, i) for a in fills) for i in some])), rel=1e-5)
    assert found["best_psnr_hole"] > 0


def test_candidate_scores_of_equal_fills_have_no_diversity():
    scores = CandidateScores()
    image = torch.from_numpy(pictures(2))
    scores.add([image, image], image, torch.from_numpy(boxes(2)))
    assert scores.compute()["diversity_hole"] == 0
    assert scores.compute()["best_mae_hole"] == 0


@pytest.mark.parametrize("speed", ["fast", "plain"])
def test_filler_candidates_begin_with_the_fill_differ_and_do_not_depend_on_batch_or_number(speed: str):
    settings = DecodeSettings(schedule=Cosine(), num_steps=4, token_temperature=1.5)
    filler = Filler(model(speed=speed), tokenizer(), settings)
    images, holes = pictures(4), boxes(4)
    three = filler.candidates(images, holes, range(4), num_samples=3)
    assert torch.equal(three[0].tokens, filler.fill(images, holes, range(4)).tokens)
    assert not torch.equal(three[1].tokens, three[0].tokens)
    assert not torch.equal(three[2].tokens, three[1].tokens)
    single = filler.candidates(images[2:3], holes[2:3], [2], num_samples=2)
    assert torch.equal(single[1].tokens[0], three[1].tokens[2])


def test_filler_tokens_are_those_of_its_fills_whatever_the_batch_and_nothing_is_painted(monkeypatch: pytest.MonkeyPatch):
    settings = DecodeSettings(schedule=Cosine(), num_steps=4, token_temperature=1.5, mask_dilation=1)
    filler = Filler(model().train(), tokenizer(), settings, seed=3)
    images, holes = pictures(4), boxes(4)
    expected = filler.fill(images, holes, range(4)).tokens
    monkeypatch.setattr(fill_set, "fill_masked", None)
    monkeypatch.setattr(batches, "CPU_BATCH", 3)
    found = torch.empty_like(expected)
    for part, tokens in filler.token_batches(images, holes):
        found[part] = tokens
    assert torch.equal(found, expected)
    assert filler.model.training
