"""The rule for stars: better than all others by more than the spread, or no star."""

import math

import pytest

from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.marks import marks, texts


def spreads(*values: list[float] | None) -> list[Spread | None]:
    return [None if value is None else Spread.of(value) for value in values]


@pytest.mark.parametrize(
    ("values", "score", "expected"),
    [
        ([[1.0, 1.1], [5.0, 5.1], [9.0, 9.1]], "fid", ["*", "", ""]),
        ([[1.0, 1.1], [5.0, 5.1], [9.0, 9.1]], "psnr_hole", ["", "", "*"]),
        ([[1.0, 1.1], [1.05, 1.2], [9.0, 9.1]], "fid", ["~", "~", ""]),  # nothing is starred within the spread
        ([[2.0, 2.0], [2.0, 2.0], [3.0, 3.0]], "fid", ["~", "~", ""]),
        ([[1.0], [2.0], [3.0]], "fid", ["°", "", ""]),
        ([[1.0], [1.0], None], "fid", ["°", "°", ""]),
        ([[math.nan], [2.0, 2.1], [3.0, 3.1]], "fid", ["", "*", ""]),
        ([[1.0, 1.1]], "fid", [""]),
        ([None, None], "fid", ["", ""]),
    ],
)
def test_marks_star_only_what_the_spread_cannot_explain(values: list[list[float] | None], score: str, expected: list[str]):
    assert marks(spreads(*values), score=score) == expected


def test_texts_show_a_dash_for_what_is_missing_or_no_number():
    assert texts(spreads([1.0], None, [math.inf], [2.0]), score="fid") == ["1°", "-", "-", "2"]
    assert texts(spreads([1.0], None), score=None) == ["1", "-"]
