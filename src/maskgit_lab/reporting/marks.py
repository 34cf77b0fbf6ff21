"""The one rule for stars, in every table: a value is the best when it is better than all others by more than the spread."""

from collections.abc import Sequence

from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.evaluation.spread import Spread

BEST, LEVEL, SINGLE = "*", "~", "°"
LEGEND = (
    "* best, by more than the spread (2 standard deviations over seeds)   ~ best as far as the spread can tell   "
    "° best, spread not known"
)
MISSING = "-"


def marks(spreads: Sequence[Spread | None], *, score: str) -> list[str]:
    """Return a mark per value, nothing for most: of values that the spread cannot tell apart none is starred.

    Args:
        spreads: the values that compete; None and what is not finite do not.
        score: their name, which says whether higher is better.

    Returns:
        `*`, `~`, `°` or an empty text for each. With fewer than two values there is nothing to be better than, and no mark.
    """
    places = [i for i, spread in enumerate(spreads) if spread is not None and spread.is_finite]
    found: list[str] = [""] * len(spreads)
    if len(places) < 2:
        return found
    best = (max if is_higher_better(score) else min)(places, key=lambda i: _mean(spreads[i]))
    others = {i: _exceeds(spreads[i], spreads[best]) for i in places if i != best}
    level = [i for i, exceeds in others.items() if exceeds is False]
    if level:
        for i in (best, *level):
            found[i] = LEVEL
    elif None in others.values():
        for i in places:
            found[i] = SINGLE if _mean(spreads[i]) == _mean(spreads[best]) else ""
    else:
        found[best] = BEST
    return found


def texts(spreads: Sequence[Spread | None], *, score: str | None) -> list[str]:
    """Return the texts of values, a dash where there is none, with the marks of a `score`; None = without marks."""
    shown = [MISSING if spread is None or not spread.is_finite else str(spread) for spread in spreads]
    if score is None:
        return shown
    return [f"{text}{mark}" for text, mark in zip(shown, marks(spreads, score=score), strict=True)]


def _mean(spread: Spread | None) -> float:
    assert spread is not None
    return spread.mean


def _exceeds(spread: Spread | None, other: Spread | None) -> bool | None:
    assert spread is not None
    assert other is not None
    return spread.exceeds(other)
