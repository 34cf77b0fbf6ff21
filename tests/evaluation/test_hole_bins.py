"""Bins of hole shares, and scores of each bin."""

from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.evaluation.baselines import measured, score_outputs
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.hole_bins import HoleBins
from maskgit_lab.evaluation.rulers import Rulers
from maskgit_lab.evaluation.truth import Truth, read_truth
from tests.support.builders import pictures, tokenizer

SHARES = (0.1, 0.15, 0.2, 0.24, 0.29, 0.0, 0.16)


def holes_of(shares: tuple[float, ...]) -> np.ndarray:
    holes = np.zeros((len(shares), 1024), dtype=bool)
    for hole, share in zip(holes, shares, strict=True):
        hole[: round(1024 * share)] = True
    return holes.reshape(-1, 32, 32)


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    extractor = TokenizerFeatures(tokenizer=tokenizer())
    return read_truth(pictures(7, seed=9), holes_of(SHARES), extractor, cache=tmp_path, batch_size=3, device="cpu")


def test_hole_bins_hold_every_image_with_a_hole_once():
    bins = HoleBins((0.15, 0.25))
    assert bins.names == ["below 15 %", "15 to 25 %", "from 25 %"]
    assert bins.counts(holes_of(SHARES)) == {"below 15 %": 1, "15 to 25 %": 4, "from 25 %": 1}
    assert HoleBins((0.25,)).members(np.ones((2, 2, 2), dtype=bool) & (np.arange(2) == 0))["from 25 %"].all()  # on the limit


def test_by_hole_share_equals_the_scores_of_those_images_only(truth: Truth, tmp_path: Path):
    outputs, rulers = pictures(7, seed=4), Rulers(bins=HoleBins((0.155, 0.21, 0.5)))
    found = measured(outputs, truth, batch_size=2, rulers=rulers).by_hole_share()
    assert truth.holes is not None
    chosen = [2, 6]
    part = read_truth(truth.images[chosen], truth.holes[chosen], truth.extractor, cache=tmp_path, batch_size=2, device="cpu")
    expected = score_outputs(outputs[chosen], part, batch_size=2)
    expected.pop("kd_tokenizer")
    assert found["15.5 to 21 %"] == pytest.approx(expected, rel=1e-6)
    assert found["from 50 %"] == {}  # no such image: a blank, not NaN
    assert len(found["21 to 50 %"]) == len(expected)


def test_by_hole_share_of_a_single_image_has_no_distance(truth: Truth):
    found = measured(pictures(7, seed=4), truth, batch_size=4, rulers=Rulers(bins=HoleBins((0.12,)))).by_hole_share()
    assert "fd_tokenizer" not in found["below 12 %"]
    assert np.isfinite(found["below 12 %"]["mae_hole"])


@pytest.mark.parametrize("limits", [(0.3, 0.2), (0.2, 0.2), (0.0,), (1.0,), (float("nan"),)])
def test_hole_bins_refuse_limits_that_are_none(limits: tuple[float, ...]):
    with pytest.raises(ValueError, match="hole_bins must"):
        HoleBins(limits)


def test_score_outputs_with_every_ruler_has_finite_scores_and_leaves_out_what_needs_more_images(truth: Truth):
    rulers = Rulers(neighbours=3, discrimination=True)
    scores = score_outputs(truth.images, truth, batch_size=4, rulers=rulers)
    names = ("precision_tokenizer", "recall_tokenizer", "p_ids_tokenizer", "u_ids_tokenizer")
    assert [scores[name] for name in names] == [1, 1, 0.5, 0.5]
    assert np.isfinite(list(scores.values())).all()
    few = score_outputs(truth.images, truth, batch_size=4, rulers=Rulers(neighbours=7))
    assert not [name for name in few if name.startswith(("precision", "recall"))]
    others = score_outputs(pictures(5, seed=1), truth, batch_size=4, rulers=rulers, paired=False)
    assert "p_ids_tokenizer" not in others
    assert "u_ids_tokenizer" in others
