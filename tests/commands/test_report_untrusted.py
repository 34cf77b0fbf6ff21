"""`report` and `collect` on folders that may come from anybody: nothing of others is shown, nothing of others is overwritten."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.assembly.schemas import ReportConfig
from maskgit_lab.commands.collect import collect_sweep
from maskgit_lab.commands.report import report

RUN = Path(__file__).parents[1] / "fixtures" / "run"
PIXELS = np.full((4, 6, 3), 90, np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    for name in ("config.yaml", "result.json", "metrics.csv"):
        shutil.copy(RUN / name, folder / name)
    return folder


def pages(run: Path) -> tuple[str, str]:
    report(ReportConfig(run=str(run)))
    return (run / "report.html").read_text(encoding="utf-8"), (run / "report.md").read_text(encoding="utf-8")


def change_result(run: Path, **changes: Any) -> None:
    content = json.loads((run / "result.json").read_text(encoding="utf-8")) | changes
    (run / "result.json").write_text(json.dumps(content), encoding="utf-8")


def test_report_embeds_only_figures_of_the_run(run: Path, tmp_path: Path):
    Image.fromarray(PIXELS).save(tmp_path / "secret.png")
    Image.fromarray(PIXELS).save(run / "figures" / "fills.png")
    (run / "figures" / "fills_best.png").symlink_to(tmp_path / "secret.png")
    (run / "figures" / "schedule_x.png").symlink_to(tmp_path / "secret.png")
    (run / "figures" / "training.png").write_text("root:x:0:0", encoding="utf-8")
    (run / "evaluation").symlink_to(tmp_path)
    page, text = pages(run)
    assert page.count("data:image/png") == text.count("](figures/") == 1
    assert "fills.png" in text


def test_report_does_not_embed_figures_of_a_folder_that_is_a_link(run: Path, tmp_path: Path):
    shutil.rmtree(run / "figures")
    (tmp_path / "theirs").mkdir()
    Image.fromarray(PIXELS).save(tmp_path / "theirs" / "fills.png")
    (run / "figures").symlink_to(tmp_path / "theirs")
    assert "data:image/png" not in pages(run)[0]


def test_report_replaces_a_link_instead_of_writing_through_it(run: Path, tmp_path: Path):
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    for name in ("report.html", "report.md"):
        (run / name).symlink_to(tmp_path / "precious")
    pages(run)
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "mine"


def test_report_shows_markup_as_text(run: Path):
    evil = "<img src=x onerror=alert(1)> | [a](http://evil) `b`\n# c"
    change_result(run, name=evil, data=evil, scores=[{"fill": evil, evil: 0.5}], provenance={evil: "```\n<b>"})
    page, text = pages(run)
    assert "<img src=x" not in page
    outside = text[: text.index("How it was made")]
    assert "<img" not in outside
    assert "](http:" not in outside
    assert not [line for line in outside.splitlines() if line.startswith("# c")]
    assert "````\n```" not in text or "\n<b>\n````" in text


@pytest.mark.parametrize(
    "changes",
    [{"scores": "x"}, {"scores": [3]}, {"seconds": {"a": "x"}}, {"seconds": 3}, {"num_parameters": "x"}, {"diagnosis": 3},
     {"provenance": 3}],
)  # fmt: skip
def test_report_names_the_folder_whose_result_is_damaged(changes: dict[str, Any], run: Path):
    change_result(run, **changes)
    with pytest.raises(ValueError, match=rf"{run}(: result\.json or evaluation\.json is damaged|/result\.json is not of a run)"):
        report(ReportConfig(run=str(run)))


def test_report_and_collect_read_scores_that_json_cannot_hold(run: Path):
    scores = [{"fill": "model, composited", "psnr": None}]
    change_result(run, status="completed", monitor={"name": "val/loss", "best": None}, scores=scores)
    assert ">-<" in pages(run)[0]
    shutil.copytree(run, run.parent / "sweep" / "0")
    assert re.search(r"^1 +- +- +-$", collect_sweep(run.parent / "sweep").text, re.MULTILINE)


def test_collect_escapes_and_counts_in_bounded_time(run: Path):
    sweep = run.parent / "sweep"
    shutil.copytree(run, sweep / "0")
    change_result(sweep / "0", status="failed", error="<b>\x1b[2J\n# x")
    target = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
    text = f"hydra:\n  sweeper: {{_target_: {target}}}\n  overrides: {{task: ['seed=range(0,1000000000000)']}}\n"
    (sweep / "multirun.yaml").write_text(text, encoding="utf-8")
    collected = collect_sweep(sweep)
    assert "\x1b" not in collected.text
    table = (sweep / "table.md").read_text(encoding="utf-8")
    assert "<b>" not in table
    assert "of 100000 jobs" in table
