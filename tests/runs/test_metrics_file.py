"""metrics.csv as it is read back."""

import contextlib
from pathlib import Path

import pytest

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.metrics_file import read_epochs, read_metrics, read_rows, write_rows
from tests.support.damage import cuts, flips

TEXT = "epoch,step,val/loss,lr-Adam\n0,9,2.5,\n0,10,,0.001\n1,19,1e-3,\n"


def written(folder: Path, text: str = TEXT) -> Path:
    (folder / "metrics.csv").write_text(text)
    return folder / "metrics.csv"


def test_read_rows_leaves_out_a_last_row_that_was_cut_off(tmp_path: Path):
    for harmed in cuts(TEXT.encode(), 30):
        path = tmp_path / "metrics.csv"
        path.write_bytes(harmed)
        if harmed:
            assert read_rows(path) == read_rows(written(tmp_path))[: max(0, harmed.count(b"\n") - 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("epoch,step\n0,1,2\n", "line 2 has another number of columns"),
        ("epoch,step,val/loss\n0,1\n", "line 2 has another number of columns"),
        ("epoch,step\n0,1\n0,x\n", "line 3 has no step, but 'x'"),
        ("epoch,stop\n0,1\n", "has no column step"),
        ("hello there\n", "has no column step"),
        ("epoch,step,val/loss\n0,1,2.5a\n", "line 2 has no number in val/loss, but '2.5a'"),
        ("step,val/loss\n1,2.5\n", "a row with val/loss has no epoch"),
        ("\udcff\n", "is damaged"),
    ],
)
def test_read_epochs_names_file_and_line_of_what_is_no_table(text: str, said: str, tmp_path: Path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DamagedFileError, match=rf"metrics.csv .*{said}.*Restore it from a copy of the run"):
        read_epochs(path)


def test_read_metrics_ends_in_values_or_in_an_error_by_name_whatever_bit_is_flipped(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    for harmed in flips(TEXT.encode(), 200):
        path.write_bytes(harmed)
        for read in (read_metrics, read_epochs):
            with contextlib.suppress(DamagedFileError):
                read(path)


def test_read_rows_gets_back_what_write_rows_wrote(tmp_path: Path):
    rows = [{"epoch": "0", "step": "6", "val/loss": "3.5", "note": ""}, {"epoch": "0", "step": "9", "val/loss": "", "note": "1"}]
    write_rows(tmp_path / "metrics.csv", rows, sorted(rows[0]))
    assert read_rows(tmp_path / "metrics.csv") == rows
    assert read_rows(tmp_path / "metrics.csv")[0].keys() == rows[0].keys()
