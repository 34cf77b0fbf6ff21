"""metrics.csv of a process that was killed while it wrote."""

from pathlib import Path

import pytest

from maskgit_lab.runs.metrics_file import read_epochs, read_rows, write_rows


@pytest.mark.parametrize("cut", ["0,1", "0,14,2.", "0,14,2.5", "0,14,2.5\r"])
def test_read_rows_leaves_out_a_last_row_that_was_cut(tmp_path: Path, cut: str):
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"epoch,step,val/loss\r\n0,6,3.5\r\n" + cut.encode())
    assert read_rows(path) == [{"epoch": "0", "step": "6", "val/loss": "3.5"}]
    assert [row["val/loss"] for row in read_epochs(path)] == [3.5]


def test_read_rows_names_the_file_and_the_line_of_another_damaged_row(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,val/loss\n0,6,3.5\n0,14\n0,20,2.5\n")
    with pytest.raises(ValueError, match=r"metrics\.csv, line 3: a damaged row"):
        read_rows(path)


def test_read_rows_gets_back_what_write_rows_wrote(tmp_path: Path):
    rows = [{"epoch": "0", "step": "6", "val/loss": "3.5", "note": ""}, {"epoch": "0", "step": "9", "val/loss": "", "note": "1"}]
    write_rows(tmp_path / "metrics.csv", rows, sorted(rows[0]))
    assert read_rows(tmp_path / "metrics.csv") == rows
    assert read_rows(tmp_path / "metrics.csv")[0].keys() == rows[0].keys()
