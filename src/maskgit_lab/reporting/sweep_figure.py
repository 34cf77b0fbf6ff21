"""A sweep as curves: every score over the key that was swept, a curve per setting of the others, with the spread over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.plots import calm, plots, save_figure
from maskgit_lab.runs.sweep import RunRecord, differing_keys, shown_key, shown_value

LEAST_SHARE = 0.1  # of the values themselves, which an axis covers at least: less would show noise
MAX_CURVES = 12  # more cannot be told apart

Curves = dict[str, dict[Any, list[float]]]  # curve -> place on the x axis -> a value per seed


def save_sweep_figure(path: Path, runs: Sequence[RunRecord]) -> Path | None:
    """Write a panel per score; None when fewer than two settings have been completed."""
    done = [run for run in runs if run.status == "completed"]
    keys = differing_keys(done)
    if not keys:
        return None
    across = _across(done, keys)
    names = list(dict.fromkeys(name for run in done for name in run.scores()))
    figure, axes = plots(len(names), width=4.4, height=3.2)
    for axis, name in zip(axes, names, strict=True):
        _panel(axis, _curves(done, keys, across, name))
        axis.set_title(f"{name} ({'higher' if is_higher_better(name) else 'lower'} is better)", fontsize=10)
        axis.set_xlabel(shown_key(across), fontsize=9)
    if len(keys) > 1:
        axes[0].legend(fontsize=7, frameon=False, title=", ".join(shown_key(key) for key in keys if key != across))
    return save_figure(figure, path)


def _across(runs: Sequence[RunRecord], keys: Sequence[str]) -> str:
    """Return the key for the x axis: a number before a name, then the one with the most values."""
    values = {key: {repr(run.config.get(key)) for run in runs} for key in keys}
    numeric = {key: all(isinstance(run.config.get(key), int | float) for run in runs) for key in keys}
    return max(keys, key=lambda key: (numeric[key], len(values[key])))


def _curves(runs: Sequence[RunRecord], keys: Sequence[str], across: str, name: str) -> Curves:
    curves: Curves = {}
    for run in runs:
        if name not in run.scores():
            continue
        label = ", ".join(shown_value(run.config.get(key)) for key in keys if key != across)
        place = run.config.get(across)
        place = place if isinstance(place, int | float) else shown_value(place)
        curves.setdefault(label, {}).setdefault(place, []).append(run.scores()[name])
    return curves


def _panel(axis: Axes, curves: Mapping[str, Mapping[Any, list[float]]]) -> None:
    places = list(dict.fromkeys(place for curve in curves.values() for place in curve))
    if all(isinstance(place, int | float) for place in places):
        places = sorted(places)
    shown = list(curves.items())[:MAX_CURVES]
    for number, (label, curve) in enumerate(shown):
        spreads = {place: Spread.of(values) for place, values in curve.items()}
        # side by side, or the bars of one place would hide each other
        at = [places.index(place) + 0.08 * (number - (len(shown) - 1) / 2) for place in spreads]
        axis.errorbar(
            at, [s.mean for s in spreads.values()], yerr=[s.sd or 0.0 for s in spreads.values()],
            label=label, marker="o", markersize=4, capsize=3, linewidth=1.2,
        )  # fmt: skip
    middle = abs(sum(axis.get_ylim())) / 2
    calm(axis, least_span=LEAST_SHARE * middle)
    axis.set_xticks(range(len(places)), [str(place) for place in places])
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
