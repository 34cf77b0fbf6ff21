"""What a table says, in words: whether the model beats a fill that needs none, and how near it comes to the reconstruction."""

from collections.abc import Mapping, Sequence

from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.evaluation.spread import MANY_SPREADS, Spread
from maskgit_lab.reporting.marks import BEST, LEVEL, marks

FLOOR = "diffusion fill"
# of each kind of output, the best that its decoder could do: the first that a table has
CEILINGS = {
    "decoded": ("VQGAN reconstruction, known pixels given", "VQGAN reconstruction, decoded"),
    "composited": ("VQGAN reconstruction, known pixels given, composited", "VQGAN reconstruction, composited"),
}
SCORES = ("psnr_hole", "mae_hole")  # after the distance
MOST_NAMED = 4
MANY_TIMES = 100  # more are not counted


def verdict(
    scores: Mapping[str, Spread],
    references: Mapping[str, Mapping[str, float]],
    *,
    distance: str,
    output: str,
    who: str = "the model",
) -> list[str]:
    """Return a sentence per score: the distance, PSNR and mean absolute error inside the hole.

    Args:
        scores: of the model, by name.
        references: scores of outputs that need no trained model, by their names in the table.
        distance: name of the distance of distributions.
        output: decoded or composited, which chooses the reconstruction to compare with.
        who: what is judged.

    Returns:
        The sentences; none where there is no diffusion fill to compare with.
    """
    floor = references.get(FLOOR, {})
    ceiling = next((references[name] for name in CEILINGS.get(output, ()) if name in references), {})
    names = [name for name in (distance, *SCORES) if name in scores and scores[name].is_finite and floor.get(name) is not None]
    return [_sentence(name, scores[name], floor[name], ceiling.get(name), who) for name in names]


def _sentence(score: str, model: Spread, floor: float, ceiling: float | None, who: str) -> str:
    sign = 1 if is_higher_better(score) else -1
    gain = sign * (model.mean - floor)
    against = f"the {FLOOR} ({floor:.4g})"
    head = f"{score}: {who} ({model})"
    if model.sd is None:
        how = "is better than" if gain > 0 else "is worse than" if gain < 0 else "equals"
        head += f" {how} {against} by {abs(gain):.3g}; it is one fill, whose spread is not known"
    elif abs(gain) <= MANY_SPREADS * model.sd:
        head += f" cannot be told from {against}: they differ by {abs(gain):.3g}, the spread is {MANY_SPREADS * model.sd:.2g}"
    else:
        head += f" {'beats' if gain > 0 else 'is behind'} {against} by {abs(gain):.3g}{_times(abs(gain), model.sd)}"
    if ceiling is None:
        return f"{head}."
    way = sign * (ceiling - floor)
    if way <= 0:
        return f"{head}. The reconstruction of the truth ({ceiling:.4g}) is no better than that fill here."
    if gain >= way:
        return f"{head}. It reaches the reconstruction of the truth ({ceiling:.4g})."
    if gain <= 0:
        return f"{head}. The reconstruction of the truth has {ceiling:.4g}."
    return f"{head}. That is {100 * gain / way:.0f} % of the way to the reconstruction of the truth ({ceiling:.4g})."


def _times(difference: float, sd: float) -> str:
    """Return how many times the spread a difference is, in words."""
    if sd == 0:
        return "; all seeds agree"
    times = difference / (MANY_SPREADS * sd)
    return f", {times:.0f} times the spread" if times < MANY_TIMES else f", more than {MANY_TIMES} times the spread"


def best_of(labels: Sequence[str], spreads: Sequence[Spread], *, score: str) -> str | None:
    """Return a sentence about which of some settings is the best, or that the spread cannot tell; None for fewer than two."""
    found = marks(spreads, score=score)
    named = [label for label, mark in zip(labels, found, strict=True) if mark]
    if not named:
        return None
    if BEST in found:
        return f"{score}: {named[0]} is the best, by more than the spread."
    if LEVEL in found:
        shown = "; ".join(named[:MOST_NAMED]) + (f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else "")
        count = f"all {len(labels)}" if len(named) == len(labels) else f"{len(named)} of {len(labels)}"
        return f"{score}: the spread cannot tell {count} apart, and none of them is the best: {shown}."
    return f"{score}: {named[0]} has the best value, but values of single seeds have no known spread: no best is said."
