"""The scores of a run's test images as a table, for the terminal and as Markdown."""

from typing import Any

from maskgit_lab.evaluation.output_scores import is_higher_better
from maskgit_lab.evaluation.test_set import CEILING, TestScores
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import best_rows, render_markdown, render_table


def terminal_scores(scores: TestScores) -> str:
    """Return the table for the terminal."""
    headers, cells, best = _table(scores)
    return render_table(headers, cells, best=best)


def markdown_scores(scores: TestScores) -> str:
    """Return the table and its protocol as Markdown."""
    headers, cells, best = _table(scores)
    lines = [f"- {escaped(f'{key}: {value}')}" for key, value in scores.protocol.items()]
    return render_markdown(headers, cells, best=best) + "\n" + "\n".join(lines) + "\n"


def _table(scores: TestScores) -> tuple[list[str], list[list[Any]], list[set[int]]]:
    """Return headers, cells and, per column, the rows with the best value."""
    headers, cells = list(scores.rows[0]), [list(row.values()) for row in scores.rows]
    candidates = {i for i, row in enumerate(scores.rows) if not row["fill"].startswith(CEILING)}
    return headers, cells, best_rows(cells, [None, *map(is_higher_better, headers[1:])], candidates=candidates)
