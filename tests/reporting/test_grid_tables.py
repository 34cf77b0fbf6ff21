"""What a grid measured as tables: marks, references, rows for a spreadsheet."""

from maskgit_lab.evaluation.grid import Cell
from maskgit_lab.reporting.grid_tables import References, all_scores, csv_rows, grid_verdict, share_table, table_1, terminal_tables

CELLS = [
    Cell(schedule, spot, "decoded", {"fid": [base + spot, base + spot + 0.2], "psnr_hole": [base, base]})
    for schedule, base in (("linear", 1.0), ("cosine", 1.1), ("square", 9.0))
    for spot in (3, 5)
]


def test_table_1_has_a_row_per_sweet_spot_and_marks_what_the_spread_cannot_tell():
    headers, rows = table_1(CELLS, score="fid", output="decoded")
    assert headers == ["fid, decoded", "linear", "cosine", "square"]
    assert [row[0] for row in rows] == ["3", "5"]
    assert [cell[-1] for cell in rows[0][1:]] == ["~", "~", "4"]


def test_all_scores_end_with_references_and_a_dash_for_what_they_do_not_have():
    headers, rows = all_scores(CELLS, {"grey fill": {"fid": 3.0}}, output="decoded")
    assert headers == ["decoded", "fid", "psnr_hole"]
    assert rows[-1] == ["grey fill", "3", "-"]
    assert rows[0][0] == "linear, sweet spot 3"


def test_terminal_tables_print_and_csv_rows_hold_every_value():
    references = {"grey fill": {"fid": 3.0}}
    text = terminal_tables(CELLS, References(references), score="fid", outputs=["decoded"])
    assert text.count("grey fill") == 1
    assert len(csv_rows(CELLS, references)) == 6 * 2 + 1


def test_share_table_has_a_column_per_bin_and_dashes_where_a_bin_is_empty():
    cell = Cell("linear", 3, "decoded", {"fid": [1.0]}, {"below 15 %": {"fid": [2.0, 2.1]}, "from 15 %": {}})
    references = References(by_hole_share={"grey fill": {"below 15 %": {"fid": 3.0}, "from 15 %": {}}, "other": {}})
    counts = {"below 15 %": 4, "from 15 %": 0}
    headers, rows = share_table([cell], references, score="fid", output="decoded", counts=counts)
    assert headers == ["fid, decoded", "below 15 % (n=4)", "from 15 % (n=0)"]
    assert rows == [["linear, sweet spot 3", "2.050 ± 0.071", "-"], ["grey fill", "3", "-"]]


def test_terminal_tables_are_no_wider_than_a_terminal():
    scores = {f"score_number_{i}_with_a_long_name": [1.0, 2.0] for i in range(14)}
    text = terminal_tables([Cell("linear", 3, "decoded", scores)], References(), score="score_number_0", outputs=["decoded"])
    assert max(len(line) for line in text.splitlines()) <= 132
    assert all(name in text for name in scores)


def test_grid_verdict_names_the_best_cell_or_says_that_there_is_none():
    references = References({"diffusion fill": {"fid": 8.0}, "VQGAN reconstruction, decoded": {"fid": 2.0}})
    said = grid_verdict(CELLS, references, score="fid", output="decoded")
    assert said == [
        "fid: the spread cannot tell 2 of 6 apart, and none of them is the best: linear, sweet spot 3; cosine, sweet spot 3.",
        "fid: linear, sweet spot 3 (4.10 ± 0.14) beats the diffusion fill (8) by 3.9, 14 times the spread. "
        "That is 65 % of the way to the reconstruction of the truth (2).",
    ]
    one_cell = [cell for cell in CELLS if cell.sweet_spot == 3 and cell.schedule != "cosine"]
    assert grid_verdict(one_cell, references, score="fid", output="decoded")[0] == (
        "fid: linear, sweet spot 3 is the best, by more than the spread."
    )
