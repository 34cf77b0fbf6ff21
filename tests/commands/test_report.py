"""The command `report` on the small run and on a sweep."""

from pathlib import Path

import pytest

from tests.conftest import Made
from tests.support.commands import run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_run")]


def test_report_makes_one_page_of_a_run(made: Made, tmp_path: Path):
    answer = run("report", f"run={made.folder}", f"out={tmp_path}", cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stderr
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    for part in ("grey fill", "VQGAN reconstruction", "Least val/loss", "mask_schedule:", "synthetic cats"):
        assert part in page
        assert part in text
    assert page.count("data:image/png") == len(list((made.folder / "figures").glob("*.png")))


def test_report_refuses_a_folder_that_is_neither_run_nor_sweep(tmp_path: Path):
    answer = run("report", "run=.", cwd=tmp_path, home=tmp_path)
    assert answer.returncode == 1
    assert ". is neither a run folder (config.yaml) nor a sweep" in answer.stderr
