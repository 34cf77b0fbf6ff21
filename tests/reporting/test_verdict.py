"""The verdict: every case in one sentence with its numbers."""

import pytest

from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.score_table import score_table, score_verdict
from maskgit_lab.reporting.verdict import best_of, verdict

CEILING = "VQGAN reconstruction, composited"


def said(model: list[float], *, floor: float = 10.0, ceiling: float | None = 2.0, score: str = "fid") -> str:
    references = {"diffusion fill": {score: floor}} | ({} if ceiling is None else {CEILING: {score: ceiling}})
    (sentence,) = verdict({score: Spread.of(model)}, references, distance="fid", output="composited")
    return sentence


@pytest.mark.parametrize(
    ("model", "changes", "parts"),
    [
        (
            [5.0, 5.2],
            {},
            ["beats the diffusion fill (10) by 4.9, 17 times the spread", "61 % of the way to the reconstruction of the"],
        ),
        ([9.9, 10.3], {}, ["cannot be told from the diffusion fill (10)", "differ by 0.1, the spread is 0.57", "has 2."]),
        ([15.0, 15.2], {}, ["is behind the diffusion fill (10) by 5.1", "The reconstruction of the truth has 2."]),
        ([5.0], {}, ["is better than the diffusion fill (10) by 5; it is one fill, whose spread is not known"]),
        ([5.0, 5.0], {}, ["beats the diffusion fill (10) by 5; all seeds agree"]),
        ([1.0, 1.2], {}, ["It reaches the reconstruction of the truth (2)"]),
        ([5.0, 5.2], {"ceiling": 11.0}, ["(11) is no better than that fill here"]),
        ([5.0, 5.2], {"ceiling": None}, ["17 times the spread."]),
        ([20.0, 20.2], {"score": "psnr_hole", "ceiling": 30.0}, ["beats the diffusion fill (10) by 10.1", "51 % of the way"]),
        ([20.0, 20.2], {"score": "mae_hole"}, ["is behind the diffusion fill"]),
    ],
)
def test_verdict_says_whether_the_model_beats_the_fill_and_how_near_it_comes(model: list[float], changes: dict, parts: list[str]):
    for part in parts:
        assert part in said(model, **changes)


def test_verdict_is_silent_without_a_fill_to_compare_with():
    assert verdict({"fid": Spread.of([1.0, 2.0])}, {}, distance="fid", output="composited") == []


def test_verdict_prefers_the_reconstruction_by_the_runs_own_decoder():
    references = {"diffusion fill": {"fid": 10.0}, CEILING: {"fid": 4.0}}
    references["VQGAN reconstruction, known pixels given, composited"] = {"fid": 2.0}
    (sentence,) = verdict({"fid": Spread.of([6.0, 6.1])}, references, distance="fid", output="composited")
    assert "the truth (2)" in sentence


def test_best_of_needs_two_to_compare():
    assert best_of(["a"], [Spread.of([1.0, 2.0])], score="fid") is None
    assert best_of(["a", "b"], [Spread.of([1.0]), Spread.of([2.0])], score="fid") == (
        "fid: a has the best value, but values of single seeds have no known spread: no best is said."
    )


ROWS = [
    {"fill": "diffusion fill", "fid": 10.0, "psnr_hole": 20.0},
    {"fill": "model, composited", "fid": 4.0, "psnr_hole": None},
    {"fill": CEILING, "fid": 2.0, "psnr_hole": 30.0},
]


def test_score_table_stars_nothing_whose_spread_is_not_known_and_nothing_that_has_seen_the_truth():
    _, rows = score_table(ROWS)
    assert rows == [["diffusion fill", "10", "20"], ["model, composited", "4°", "-"], [CEILING, "2", "30"]]


def test_score_verdict_says_where_the_spread_is_measured():
    first, last = score_verdict(ROWS)
    assert first.startswith("fid: the model (4) is better than the diffusion fill (10) by 6; it is one fill")
    assert "evaluate run=" in last
