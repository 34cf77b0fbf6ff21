"""What a grid measured as tables: marks, references, rows for a spreadsheet."""

from maskgit_lab.evaluation.grid import Cell
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.grid_tables import all_scores, csv_rows, marked, table_1, terminal_tables

CELLS = [
    Cell(schedule, spot, "decoded", {"fid": [base + spot, base + spot + 0.2], "psnr_hole": [base, base]})
    for schedule, base in (("linear", 1.0), ("cosine", 1.1), ("square", 9.0))
    for spot in (3, 5)
]


def test_table_1_has_a_row_per_sweet_spot_and_marks_what_the_spread_cannot_tell():
    headers, rows = table_1(CELLS, score="fid", output="decoded")
    assert headers == ["fid, decoded", "linear", "cosine", "square"]
    assert [row[0] for row in rows] == ["3", "5"]
    assert [cell[-1] for cell in rows[0][1:]] == ["*", "~", "4"]


def test_marked_goes_by_whether_higher_is_better():
    assert marked([Spread.of([1.0]), Spread.of([2.0])], score="psnr_hole") == ["1", "2*"]
    assert marked([Spread.of([1.0]), Spread.of([2.0])], score="fid") == ["1*", "2"]


def test_all_scores_end_with_references_and_a_dash_for_what_they_do_not_have():
    headers, rows = all_scores(CELLS, {"grey fill": {"fid": 3.0}}, output="decoded")
    assert headers == ["decoded", "fid", "psnr_hole"]
    assert rows[-1] == ["grey fill", "3", "-"]
    assert rows[0][0] == "linear, sweet spot 3"


def test_terminal_tables_print_and_csv_rows_hold_every_value():
    references = {"grey fill": {"fid": 3.0}}
    text = terminal_tables(CELLS, references, score="fid", outputs=["decoded"])
    assert text.count("grey fill") == 1
    assert len(csv_rows(CELLS, references)) == 6 * 2 + 1
