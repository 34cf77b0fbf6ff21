"""The lab's experiment: which commands run, that it goes on where it was stopped, and what is written."""

import json
from pathlib import Path

import pytest

from benchmarks import lab_experiment
from maskgit_lab.assembly.flag_values import check_flag_values
from tests.support.configs import configuration

pytestmark = pytest.mark.thorough


class Commands:
    """Stand in for the commands: remember them and leave what they leave."""

    def __init__(self, stage_2: str) -> None:
        self.stage_2 = stage_2  # status of the second stages
        self.ran: dict[str, list[str]] = {}

    def __call__(self, out: Path, took: dict[str, float], commands: dict[str, list[str]]) -> None:
        self.ran |= commands
        took |= dict.fromkeys(commands, 1.0)
        for name, command in commands.items():
            if name == "stage_1":
                folder = out / "cache" / "tokenizers" / "key"
                folder.mkdir(parents=True)
                (folder / "tokenizer.pt").touch()
                (folder / "scores.json").write_text('{"val/psnr": 20.0}')
            elif name.startswith("stage_2"):
                run = out / "runs" / name.removeprefix("stage_2_") / "first"
                (run / "evaluation").mkdir(parents=True, exist_ok=True)
                (run / "result.json").write_text(json.dumps({"status": self.stage_2, "epochs": 2, "pid": 7}))
                (run / "metrics.csv").write_text("step,train/images_per_second\n1,10\n2,30\n3,20\n")
            else:
                run = Path(command[1].removeprefix("run="))
                (run / "evaluation" / "evaluation.json").write_text(json.dumps({"protocol": {"weights": "w"}, "cells": [1]}))


def start(monkeypatch: pytest.MonkeyPatch, folder: Path, commands: Commands) -> None:
    monkeypatch.setattr(lab_experiment, "side_by_side", commands)
    monkeypatch.setattr(lab_experiment, "RESULTS", folder)
    monkeypatch.setattr("os.environ", {})
    arguments = [
        "lab_experiment",
        "cats",
        "--inception",
        "i.pth",
        "--squeezenet",
        "s.pth",
        "--epochs",
        "2",
        "--out",
        str(folder / "out"),
    ]
    monkeypatch.setattr("sys.argv", arguments)
    lab_experiment.main()


def test_lab_experiment_trains_both_splits_on_one_tokenizer_and_writes_their_tables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    commands = Commands("completed")
    start(monkeypatch, tmp_path, commands)
    assert list(commands.ran) == ["stage_1", "stage_2_lab", "stage_2_clean", "table_lab", "table_clean"]
    assert "data.split=clean" in commands.ran["stage_1"]
    for command, *arguments in (commands.ran[name] for name in ("stage_1", "stage_2_lab", "stage_2_clean")):
        assert command in ("train", "train_tokenizer")
        check_flag_values(configuration(*arguments))
    for split in ("lab", "clean"):
        assert {f"data.split={split}", "recipe=lab", "trainer.max_epochs=2"} <= set(commands.ran[f"stage_2_{split}"])
        assert any(argument.endswith("key/tokenizer.pt") for argument in commands.ran[f"stage_2_{split}"])
    (path,) = tmp_path.glob("lab_cats_*.json")
    content = json.loads(path.read_text())
    assert content["lab"] == {"epochs": 2, "images_per_second": 20.0, "evaluation": {"protocol": {}, "cells": [1]}}
    assert str(tmp_path) not in path.read_text()


def test_lab_experiment_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    start(monkeypatch, tmp_path, Commands("interrupted"))
    again = Commands("completed")
    start(monkeypatch, tmp_path, again)
    assert list(again.ran) == ["stage_2_lab", "stage_2_clean", "table_lab", "table_clean"]
    assert again.ran["stage_2_lab"] == ["train", f"resume={tmp_path / 'out' / 'runs' / 'lab' / 'first'}"]
    last = Commands("completed")
    start(monkeypatch, tmp_path, last)
    assert list(last.ran) == ["table_lab", "table_clean"]
