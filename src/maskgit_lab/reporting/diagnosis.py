"""What the curves say: when the network was best, by which measure, and whether it overfits.

Early in training a low distance of distributions can go with wrong fills, and the least validation loss with worse images. The
summary says when the measures disagree.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.runs.metrics_file import DECODED_SCORES
from maskgit_lab.runs.metrics_file import VALIDATION_LOSS as LOSS

FIXED_TRAIN_LOSS = "train/fixed_loss"


def diagnose(epochs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the best epoch (counted from 1) by every measure, and the gap between training and validation loss.

    Args:
        epochs: per epoch, scores by name; those without a value, or with one that is not finite, were not measured.

    Returns:
        best: measure -> {epoch, value}; gap_at_best, gap_at_end: validation minus training loss on fixed masks, None when unknown;
        agree: whether all measures name the same epoch.
    """
    names = [LOSS, *sorted({name for epoch in epochs for name in epoch if name.startswith(DECODED_SCORES)})]
    best: dict[str, dict[str, float]] = {}
    for name in names:
        measured = [(epoch[name], i + 1) for i, epoch in enumerate(epochs) if math.isfinite(epoch.get(name, math.nan))]
        if measured:
            higher = is_higher_better(name.removeprefix("val/"))
            value, number = (max if higher else min)(measured, key=lambda pair: pair[0])
            best[name] = {"epoch": number, "value": value}
    gaps = [_gap(epoch) for epoch in epochs]
    return {
        "best": best,
        "gap_at_best": gaps[int(best[LOSS]["epoch"]) - 1] if LOSS in best else None,
        "gap_at_end": gaps[-1] if gaps else None,
        "agree": len({entry["epoch"] for entry in best.values()}) <= 1,
    }


def _gap(epoch: Mapping[str, float]) -> float | None:
    gap = epoch.get(LOSS, math.nan) - epoch.get(FIXED_TRAIN_LOSS, math.nan)
    return gap if math.isfinite(gap) else None


def sentences(diagnosis: Mapping[str, Any], num_epochs: int) -> list[str]:
    """Return the diagnosis in words, for the terminal and the report."""
    best = diagnosis["best"]
    if LOSS not in best:
        return []
    least = best[LOSS]
    lines = [f"Least {LOSS} {least['value']:.4f} at epoch {least['epoch']} of {num_epochs}; its weights are scored below"]
    if diagnosis["gap_at_end"] is not None and diagnosis["gap_at_best"] is not None:
        lines.append(
            f"Validation minus training loss on fixed masks: {diagnosis['gap_at_best']:+.3f} there, "
            f"{diagnosis['gap_at_end']:+.3f} at the end"
        )
    others = [f"{name} at epoch {entry['epoch']}" for name, entry in best.items() if entry["epoch"] != least["epoch"]]
    if others:
        lines.append(f"The measures disagree about the best epoch: {', '.join(others)}")
    return lines
