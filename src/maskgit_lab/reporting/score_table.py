"""The scores of a run's test images as a table with a verdict, for the terminal, Markdown and the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.evaluation.test_set import CEILING, MODEL_ROWS, TestScores
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.marks import LEGEND, marks
from maskgit_lab.reporting.tables import format_cell, render_markdown, render_table
from maskgit_lab.reporting.verdict import verdict

HOW_TO_KNOW = "The spread over decoding seeds: python -m maskgit_lab.evaluate run=RUN_FOLDER"


def terminal_scores(scores: TestScores) -> str:
    """Return the table for the terminal, and what it says."""
    return "\n".join([render_table(*score_table(scores.rows)), "", LEGEND, *score_verdict(scores.rows)])


def markdown_scores(scores: TestScores) -> str:
    """Return the table, what it says and its protocol as Markdown."""
    lines = [f"- {escaped(f'{key}: {value}')}" for key, value in scores.protocol.items()]
    said = "\n\n".join(escaped(line) for line in [LEGEND, *score_verdict(scores.rows)])
    return f"{render_markdown(*score_table(scores.rows))}\n{said}\n\n" + "\n".join(lines) + "\n"


def score_table(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells of the rows of `TestScores`, marked; rows that have seen the truth do not compete."""
    headers = list(rows[0])
    columns = [[str(row[headers[0]]) for row in rows]]
    for name in headers[1:]:
        competing = [None if str(row["fill"]).startswith(CEILING) else _spread(row.get(name)) for row in rows]
        texts = [format_cell(row.get(name)) for row in rows]
        columns.append([f"{text}{mark}" for text, mark in zip(texts, marks(competing, score=name), strict=True)])
    return headers, [list(row) for row in zip(*columns, strict=True)]


def score_verdict(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the rows of `TestScores` say of the composited fills; nothing where they are not there."""
    by_name = {row["fill"]: {name: value for name, value in row.items() if name != "fill" and value is not None} for row in rows}
    model = by_name.get(MODEL_ROWS[1])
    if not model:
        return []
    spreads = {name: Spread.of([value]) for name, value in model.items()}
    return [*verdict(spreads, by_name, distance=next(iter(model)), output="composited"), HOW_TO_KNOW]


def _spread(value: float | None) -> Spread | None:
    return None if value is None else Spread.of([value])
