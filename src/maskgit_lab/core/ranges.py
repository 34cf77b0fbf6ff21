"""Numbers in their ranges: a value that means nothing is refused by the name of its key, NaN and infinity among them."""

import math
from numbers import Real
from typing import Any

LARGEST_LR = 100.0  # an element of Adam's step is about as large as the rate, and weights are smaller than 1


def require_number(
    key: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    whole: bool = False,
    unit: str = "",
    or_null: bool = False,
) -> None:
    """Raise ValueError, which names the key and what is allowed, unless a value is a finite number of a range.

    Args:
        key: configuration key of the value.
        value: what to look at; numbers only, so text, True and False are refused.
        least: the least value that is allowed.
        above: values must be larger than this.
        most: the largest value that is allowed.
        below: values must be smaller than this.
        whole: integers only.
        unit: what is counted, for the message.
        or_null: None is allowed too.
    """
    if value is None and or_null:
        return
    good = isinstance(value, int if whole else Real) and not isinstance(value, bool) and math.isfinite(value)
    good = good and (least is None or value >= least) and (above is None or value > above)
    if good and (most is None or value <= most) and (below is None or value < below):
        return
    bounds = ((least, "at least"), (above, "above"), (most, "at most"), (below, "below"))
    said = [f"{word} {bound}" if isinstance(bound, int) else f"{word} {bound:g}" for bound, word in bounds if bound is not None]
    kind = "a whole number" if whole and not _is_whole(value) else "" if _is_finite(value) else "a finite number"
    wanted = " ".join(part for part in (kind, " and ".join(said), unit) if part) + (" or null" if or_null else "")
    raise ValueError(f"{key} must be {wanted}, got {value!r}" if isinstance(value, str) else f"{key} must be {wanted}, got {value}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
