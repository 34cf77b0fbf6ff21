"""Means with their spread, against numpy."""

import math

import numpy as np
import pytest

from maskgit_lab.evaluation.spread import Spread


def test_spread_equals_numpys_mean_and_deviation():
    values = [3.0, 4.5, 2.25, 8.0]
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.sd == pytest.approx(np.std(values, ddof=1))
    assert spread.n == 4


def test_spread_of_a_single_value_has_no_deviation_and_decides_nothing():
    alone = Spread.of([1.0])
    assert alone.sd is None
    assert alone.exceeds(Spread.of([5.0, 5.1])) is None


def test_spread_exceeds_another_by_more_than_two_standard_deviations():
    a, near, far = Spread.of([1.0, 1.2]), Spread.of([1.4, 1.6]), Spread.of([2.0, 2.2])
    assert a.exceeds(near) is False
    assert a.exceeds(far) is True


@pytest.mark.parametrize(
    ("values", "text"),
    [([0.61, 0.63], "0.620 ± 0.014"), ([29.1, 30.3], "29.70 ± 0.85"), ([5.0], "5"), ([2.0, 2.0], "2.000 ± 0.000")],
)
def test_spread_text_shows_two_digits_of_the_deviation(values: list[float], text: str):
    assert str(Spread.of(values)) == text


def test_spread_refuses_no_values():
    with pytest.raises(ValueError, match="at least one value"):
        Spread.of([])


@pytest.mark.parametrize("values", [[1.0, float("nan"), 2.0], [float("inf"), 1.0], [float("inf"), float("-inf")]])
def test_spread_of_a_value_that_is_not_finite_is_not_hidden_in_the_mean_and_decides_nothing(values: list[float]):
    spread = Spread.of(values)
    assert math.isnan(spread.mean)
    assert spread.sd is None
    assert str(spread) == "nan"
    assert spread.exceeds(Spread.of([1.0, 1.1])) is None
    assert spread.as_dict()["values"] == pytest.approx(values, nan_ok=True)
