"""Tables: aligned, and the best value of each column marked."""

from typing import Any

from maskgit_lab.reporting.tables import best_rows, format_cell, render_markdown, render_table

HEADERS = ["fill", "fd", "PSNR"]
ROWS: list[list[Any]] = [["grey", 0.6071, 12.345678], ["model", 0.25, float("nan")], ["a|b", None, 20.0]]
BEST_MARKS = best_rows(ROWS, [None, False, True])


def test_best_rows_follow_the_direction_of_each_column():
    assert best_rows(ROWS, [None, False, True]) == [set(), {1}, {2}]


def test_best_rows_are_candidates_only():
    assert best_rows(ROWS, [None, False, True], candidates={0}) == [set(), {0}, {0}]


def test_best_rows_share_the_mark_where_values_are_equal():
    assert best_rows([[1.0], [1.0], [2.0]], [False]) == [{0, 1}]


def test_format_cell_writes_missing_values_as_dashes():
    assert format_cell(None) == format_cell(float("nan")) == "-"


def test_render_table_aligns_columns():
    lines = render_table(HEADERS, ROWS, best=BEST_MARKS).splitlines()
    assert lines[0] == "fill       fd   PSNR"
    assert lines[2:] == ["grey   0.6071  12.35", "model   0.25*      -", "a|b         -    20*"]


def test_render_markdown_marks_the_best_and_escapes_bars():
    assert render_markdown(HEADERS, ROWS, best=BEST_MARKS).splitlines()[-2:] == [
        "| model | **0.25** | - |",
        "| a\\|b | - | **20** |",
    ]


def test_render_table_without_rows_is_its_header():
    assert render_table(HEADERS, []).splitlines() == ["fill  fd  PSNR", "----  --  ----"]
