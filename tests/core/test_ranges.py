"""Numbers in their ranges."""

import re
from typing import Any

import pytest

from maskgit_lab.core.ranges import require_number


@pytest.mark.parametrize(("limits", "good", "bad"), [
    ({"least": 0, "below": 1}, [0, 0.0, 0.999], [-1e-9, 1, float("nan"), float("inf"), "0.5", None, True, [0.5]]),
    ({"above": 0, "most": 2}, [1e-9, 2], [0, 2.1, float("-inf")]),
    ({"least": 1, "whole": True}, [1, 10**9], [0, 1.0, 1e30, float("nan"), True]),
    ({"least": 1, "or_null": True}, [None, 1.5], [0.5]),
])  # fmt: skip
def test_require_number_takes_what_is_in_range_and_names_the_key_of_the_rest(limits: dict[str, Any], good: list, bad: list):
    for value in good:
        require_number("group.key", value, **limits)
    for value in bad:
        with pytest.raises(ValueError, match=r"^group\.key must be .*, got "):
            require_number("group.key", value, **limits)


@pytest.mark.parametrize(("value", "limits", "message"), [
    (0, {"least": 1, "whole": True}, "k must be at least 1, got 0"),
    (2.5, {"least": 1, "whole": True}, "k must be a whole number at least 1, got 2.5"),
    (float("nan"), {"above": 0}, "k must be a finite number above 0, got nan"),
    ("x", {"least": 0, "most": 1, "or_null": True}, "k must be a finite number at least 0 and at most 1 or null, got 'x'"),
    (-1, {"least": 0, "whole": True, "unit": "cells"}, "k must be at least 0 cells, got -1"),
])  # fmt: skip
def test_require_number_says_what_is_allowed(value: object, limits: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        require_number("k", value, **limits)
