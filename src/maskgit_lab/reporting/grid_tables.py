"""What a grid measured, as tables: the layout of the lab's Table 1, every score of every cell, and rows for a spreadsheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskgit_lab.evaluation.grid import Cell
from maskgit_lab.evaluation.score_direction import is_higher_better
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.marks import LEGEND, texts
from maskgit_lab.reporting.tables import render_markdown, render_parts, render_table
from maskgit_lab.reporting.verdict import best_of, verdict

CSV_HEADER = ("fill", "schedule", "sweet_spot", "score", "mean", "sd", "n")
SHARE_SCORES = ("mae_hole", "psnr_hole", "ssim_hole")  # of the table of hole shares, after the distance


@dataclass(frozen=True)
class References:
    """Scores of outputs that need no trained model, by their names."""

    whole: dict[str, dict[str, float]] = field(default_factory=dict)
    by_hole_share: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # -> bin of the hole's share -> scores


def table_1(cells: Sequence[Cell], *, score: str, output: str) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of one score: a row per sweet spot, a column per schedule, as the lab printed it."""
    chosen = [cell for cell in cells if cell.output == output]
    schedules = list(dict.fromkeys(cell.schedule for cell in chosen))
    spots = list(dict.fromkeys(cell.sweet_spot for cell in chosen))
    by_place = {(cell.schedule, cell.sweet_spot): Spread.of(cell.scores[score]) for cell in chosen}
    shown = iter(texts([by_place[name, spot] for spot in spots for name in schedules], score=score))
    rows = [[str(spot), *(next(shown) for _ in schedules)] for spot in spots]
    return [f"{score}, {output}", *schedules], rows


def all_scores(
    cells: Sequence[Cell], references: Mapping[str, Mapping[str, float]], *, output: str
) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of every score of one kind of output, references below."""
    chosen = [cell for cell in cells if cell.output == output]
    names = list(chosen[0].scores)
    columns = [texts([Spread.of(cell.scores[name]) for cell in chosen], score=name) for name in names]
    rows = [[cell.label, *(column[i] for column in columns)] for i, cell in enumerate(chosen)]
    for label, scores in references.items():
        rows.append([label, *(f"{scores[name]:.4g}" if name in scores else "-" for name in names)])
    return [output, *names], rows


def share_table(
    cells: Sequence[Cell], references: References, *, score: str, output: str, counts: Mapping[str, int]
) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of one score by the share of the pixels that is hidden; `counts`: images of each bin."""
    chosen = [cell for cell in cells if cell.output == output]

    def column(label: str) -> list[str]:
        found = [cell.by_hole_share.get(label, {}).get(score) for cell in chosen]
        return texts([None if values is None else Spread.of(values) for values in found], score=score)

    columns = [column(label) for label in counts]
    rows = [[cell.label, *(column[i] for column in columns)] for i, cell in enumerate(chosen)]
    for name, bins in references.by_hole_share.items():
        if bins:
            values = [bins.get(label, {}).get(score) for label in counts]
            rows.append([name, *("-" if value is None else f"{value:.4g}" for value in values)])
    return [f"{score}, {output}", *(f"{label} (n={number})" for label, number in counts.items())], rows


def best_cell(cells: Sequence[Cell], *, score: str, output: str) -> Cell:
    """Return the cell of one kind of output whose mean is best; the spread may not tell it from others."""
    chosen = [cell for cell in cells if cell.output == output]
    return (max if is_higher_better(score) else min)(chosen, key=lambda cell: Spread.of(cell.scores[score]).mean)


def grid_verdict(cells: Sequence[Cell], references: References, *, score: str, output: str) -> list[str]:
    """Return what a grid says of one kind of output: which cell is the best, and that of best mean against the references."""
    chosen, best = [cell for cell in cells if cell.output == output], best_cell(cells, score=score, output=output)
    which = best_of([cell.label for cell in chosen], [Spread.of(cell.scores[score]) for cell in chosen], score=score)
    who = f"{best.label}" if best.sweet_spot else "this set of images"
    found = {name: Spread.of(values) for name, values in best.scores.items()}
    return [*([which] if which else []), *verdict(found, references.whole, distance=score, output=output, who=who)]


def terminal_tables(
    cells: Sequence[Cell], references: References, *, score: str, outputs: Sequence[str], counts: Mapping[str, int] | None = None
) -> str:
    """Return Table 1 for each kind of output, then every score of the last kind next to the references, whole and by hole share."""
    parts = [render_table(*table_1(cells, score=score, output=output)) for output in outputs if len(cells) > 1]
    parts.append(render_parts(*all_scores(cells, references.whole, output=outputs[-1])))
    if counts:
        shown = (share_table(cells, references, score=name, output=outputs[-1], counts=counts) for name in (score, SHARE_SCORES[0]))
        parts += [render_table(*table) for table in shown]
    return "\n\n".join([*parts, LEGEND])


def markdown_tables(
    cells: Sequence[Cell], references: References, *, score: str, outputs: Sequence[str], counts: Mapping[str, int] | None = None
) -> str:
    """Return Table 1, every score of each kind of output, and scores by hole share as Markdown."""
    parts = []
    for output in outputs if len(cells) > 1 else ():
        parts += [f"## {escaped(f'{score}, {output}')}", render_markdown(*table_1(cells, score=score, output=output))]
    for output in outputs:
        parts += [f"## Every score, {escaped(output)}", render_markdown(*all_scores(cells, references.whole, output=output))]
    for output in outputs if counts else ():
        parts.append(f"## By the share of the pixels that is hidden, {escaped(output)}")
        for name in (score, *SHARE_SCORES):
            parts.append(render_markdown(*share_table(cells, references, score=name, output=output, counts=counts or {})))
    return "\n".join([*parts, escaped(LEGEND)]) + "\n"


def csv_rows(cells: Sequence[Cell], references: Mapping[str, Mapping[str, float]]) -> list[tuple[Any, ...]]:
    """Return a row per score of every cell and reference, for a spreadsheet."""
    rows: list[tuple[Any, ...]] = []
    for cell in cells:
        for name, values in cell.scores.items():
            spread = Spread.of(values)
            rows.append((f"model, {cell.output}", cell.schedule, cell.sweet_spot, name, spread.mean, spread.sd, spread.n))
    for label, scores in references.items():
        rows += [(label, "", "", name, value, "", 1) for name, value in scores.items()]
    return rows
