"""Tables: aligned, escaped, one line a row."""

from typing import Any

from maskgit_lab.reporting.tables import format_cell, render_markdown, render_table

HEADERS = ["fill", "fd", "PSNR"]
ROWS: list[list[Any]] = [["grey", 0.6071, 12.345678], ["model", 0.25, float("nan")], ["a|b", None, 20.0]]


def test_format_cell_writes_missing_values_as_dashes():
    assert format_cell(None) == format_cell(float("nan")) == "-"


def test_render_table_aligns_columns():
    lines = render_table(HEADERS, ROWS).splitlines()
    assert lines[0] == "fill       fd   PSNR"
    assert lines[2:] == ["grey   0.6071  12.35", "model    0.25      -", "a|b         -     20"]


def test_render_markdown_escapes_bars():
    assert render_markdown(HEADERS, ROWS).splitlines()[-2:] == ["| model | 0.25 | - |", "| a\\|b | - | 20 |"]


def test_render_table_without_rows_is_its_header():
    assert render_table(HEADERS, []).splitlines() == ["fill  fd  PSNR", "----  --  ----"]
