"""What a grid measured, as tables: the layout of the lab's Table 1, every score of every cell, and rows for a spreadsheet."""

from collections.abc import Mapping, Sequence
from typing import Any

from maskgit_lab.evaluation.grid import Cell
from maskgit_lab.evaluation.output_scores import is_higher_better
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown, render_table

BEST, LEVEL = "*", "~"
LEGEND = "* best    ~ differs from the best by less than the spread (2 standard deviations over seeds)"
CSV_HEADER = ("fill", "schedule", "sweet_spot", "score", "mean", "sd", "n")


def marked(spreads: Sequence[Spread | None], *, score: str) -> list[str]:
    """Return texts of values, the best marked with a star and those the spread cannot tell from it with a tilde."""
    there = [spread for spread in spreads if spread is not None]
    best = (max if is_higher_better(score) else min)(there, key=lambda spread: spread.mean) if there else None

    def text(spread: Spread | None) -> str:
        if spread is None or best is None:
            return "-"
        if spread.mean == best.mean:
            return f"{spread}{BEST}"
        return f"{spread}{LEVEL}" if spread.exceeds(best) is False else f"{spread}"

    return [text(spread) for spread in spreads]


def table_1(cells: Sequence[Cell], *, score: str, output: str) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of one score: a row per sweet spot, a column per schedule, as the lab printed it."""
    chosen = [cell for cell in cells if cell.output == output]
    schedules = list(dict.fromkeys(cell.schedule for cell in chosen))
    spots = list(dict.fromkeys(cell.sweet_spot for cell in chosen))
    by_place = {(cell.schedule, cell.sweet_spot): Spread.of(cell.scores[score]) for cell in chosen}
    texts = iter(marked([by_place[name, spot] for spot in spots for name in schedules], score=score))
    rows = [[str(spot), *(next(texts) for _ in schedules)] for spot in spots]
    return [f"{score}, {output}", *schedules], rows


def all_scores(
    cells: Sequence[Cell], references: Mapping[str, Mapping[str, float]], *, output: str
) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of every score of one kind of output, references below."""
    chosen = [cell for cell in cells if cell.output == output]
    names = list(chosen[0].scores)
    columns = [marked([Spread.of(cell.scores[name]) for cell in chosen], score=name) for name in names]
    rows = [[cell.label, *(column[i] for column in columns)] for i, cell in enumerate(chosen)]
    for label, scores in references.items():
        rows.append([label, *(f"{scores[name]:.4g}" if name in scores else "-" for name in names)])
    return [output, *names], rows


def terminal_tables(
    cells: Sequence[Cell], references: Mapping[str, Mapping[str, float]], *, score: str, outputs: Sequence[str]
) -> str:
    """Return Table 1 for each kind of output, then every score of the last kind next to the references."""
    parts = [render_table(*table_1(cells, score=score, output=output)) for output in outputs if len(cells) > 1]
    return "\n\n".join([*parts, render_table(*all_scores(cells, references, output=outputs[-1])), LEGEND])


def markdown_tables(
    cells: Sequence[Cell], references: Mapping[str, Mapping[str, float]], *, score: str, outputs: Sequence[str]
) -> str:
    """Return Table 1 and every score of each kind of output as Markdown."""
    parts = []
    for output in outputs if len(cells) > 1 else ():
        parts += [f"## {escaped(f'{score}, {output}')}", render_markdown(*table_1(cells, score=score, output=output))]
    for output in outputs:
        parts += [f"## Every score, {escaped(output)}", render_markdown(*all_scores(cells, references, output=output))]
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
