"""A disk that is full, read-only or not permitted: one message, a run that says failed, and what was whole stays."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.types import RunMode

from maskgit_lab.commands import shell, train
from maskgit_lab.machine import json_file
from maskgit_lab.machine.tensor_file import save_tensors
from maskgit_lab.machine.whole_file import CannotWriteError
from tests.support.configs import configuration


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "metrics.csv")


@pytest.mark.parametrize(
    ("checkpoints", "said"),
    [
        (["best", "last"], "last.ckpt: then python -m maskgit_lab.train resume="), (["best"], "checkpoint=best goes on"),
        ([], "the same command"),
    ],
)  # fmt: skip
def test_train_on_a_full_disk_says_what_to_do_and_records_it(
    checkpoints: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in checkpoints:
        save_tensors({}, tmp_path / "checkpoints" / f"{name}.ckpt")
    monkeypatch.setattr(train, "compose", full)
    with pytest.raises(CannotWriteError, match=r"cannot write metrics\.csv: the disk is full; free some space there or") as caught:
        train.run_experiment(configuration(), tmp_path)
    assert said in str(caught.value)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["error"].split(":")[0]) == ("failed", "OSError")


def test_train_names_the_first_error_where_not_even_the_result_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        monkeypatch.setattr(json_file, "write_text", full)
        raise CannotWriteError("cannot write best.ckpt: the disk is full")

    monkeypatch.setattr(train, "compose", fail)
    with pytest.raises(CannotWriteError, match=r"cannot write best\.ckpt"):
        train.run_experiment(configuration(), tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_reporting_errors_shows_a_disk_in_one_line(code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(shell.HydraConfig, "get", lambda: SimpleNamespace(mode=RunMode.RUN))
    with pytest.raises(SystemExit) as caught, shell.reporting_errors():
        raise OSError(code, "text", "figures/fills.png")
    assert caught.value.code == 1
    text = capsys.readouterr().err.strip()
    assert text.startswith("error: cannot write figures/fills.png: ")
    assert "\n" not in text


def test_reporting_errors_shows_other_errors_of_the_system_as_they_are():
    with pytest.raises(ConnectionResetError), shell.reporting_errors():
        raise ConnectionResetError(errno.ECONNRESET, "reset")
