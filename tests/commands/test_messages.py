"""Mistakes are one line with key and remedy, exit code 1, found in about a second."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.errors import HydraException

from maskgit_lab.commands.messages import is_the_users, one_line
from maskgit_lab.commands.shell import look_ahead
from tests.support.commands import command, environment
from tests.support.configs import compose_once

composed_once = pytest.fixture(compose_once)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sed=1"], "sed is no key of train here; did you mean seed?"),
        (["trainr.max_epochs=1"], "did you mean trainer.max_epochs?"),
        (["data.batchsize=4"], "did you mean data.batch_size?"),
        (["data.root=x"], "data.root is no key of train here; it belongs to data=cat_faces and data=image_folder"),
        (["data=null"], "data=null: there are cat_faces, image_folder, synthetic_cats"),
        (["~optimizer"], "optimizer._target_ is missing"),
        (["hydra.run.dir=/dev/null/x"], "hydra.run.dir=/dev/null/x must be a folder"),
        (["data=nope"], "data=nope: there are cat_faces, image_folder, synthetic_cats"),
        (["experiment=cosin"], "did you mean cosine?"),
        (["foo"], "'foo' is not KEY=VALUE"),
        (["optimizer.betas=[0.9"], "cannot read optimizer.betas=[0.9"),
        (["tags=a,b"], "tags=a,b: several values need -m (a sweep), a list brackets: tags=[a,b]"),
        (["seed=abc"], "seed: Value 'abc' of type 'str' could not be converted to Integer"),
        (["~sed"], "sed is no key of train here"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["data=cat_faces"], "data.root must be given"),
        (["data=image_folder", "data.root=/nowhere"], "data.root=/nowhere: there is no such file or folder"),
        (["data=image_folder", "data.root="], "data.root=: there is no such file or folder"),
        (["tokenizer.checkpoint=/nowhere.pt"], "tokenizer.checkpoint=/nowhere.pt: there is no such file"),
        (["optimizer.lr=nan"], "optimizer.lr must be a finite number above 0"),
        (["trainer.max_epochs=abc"], "trainer.max_epochs must be a whole number"),
        (["trainer.max_epochs=0"], "trainer.max_epochs must be at least 1"),
        (["decode.choice_temperature=nan"], "decode.choice_temperature must be a finite number"),
        (["+trainer.max_epochs=3"], "trainer.max_epochs is there already: type it without +"),
        (["callbacks.best=3"], "callbacks.best has no _target_"),
        (["callbacks.last=3"], "callbacks.last has no _target_"),
        (["~callbacks.best"], "callbacks.best is needed"),
        (["+trainer.fast_dev_run=abc"], "trainer.fast_dev_run must be a whole number"),
        (["+model=base"], "model was chosen twice: model=OPTION"),
        (["=3"], "'=3' has no key"),
        (["resume="], "resume is empty"),
        (["resume=/nowhere"], "(resume=RUN_FOLDER)"),
        (["hydra.run.dir="], "hydra.run.dir is empty"),
        (["paths.runs="], "paths.runs is empty"),
    ],
)
@pytest.mark.usefixtures("composed_once")
def test_look_ahead_ends_with_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        look_ahead("train", arguments)
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("argument", ["monitor=x", "callbacks.scores=3"])
@pytest.mark.usefixtures("composed_once")
def test_look_ahead_suggests_nothing_that_was_typed(argument: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        look_ahead("train", [argument])
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["seed=0,1", "-m"],
        ["experiment=sweep_seeds", "seed=0,1"],
        ["--cfg", "job", "data=image_folder"],
        ["--config-dir", "."],
        ["seed=1"],
    ],
)
@pytest.mark.usefixtures("composed_once")
def test_look_ahead_lets_pass_what_is_right_or_not_its_business(arguments: list[str]):
    look_ahead("train", arguments)


def test_one_line_shows_no_escape_sequences_and_names_files():
    assert one_line(ValueError("a\n  b\x1b[2J")) == "a b [2J"
    assert one_line(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/x/y")) == "/x/y: Permission denied"


def test_is_the_users_tells_files_and_values_from_mistakes_of_the_program():
    mine = [PermissionError(errno.EACCES, "x"), IsADirectoryError(errno.EISDIR, "x"), OSError(errno.ENOSPC, "x"), ValueError("x")]
    assert all(map(is_the_users, [*mine, HydraException("x")]))
    assert not any(map(is_the_users, [TypeError("x"), KeyError("x"), RuntimeError("x"), OSError(errno.EBADF, "x")]))


def test_train_says_in_a_second_that_the_data_folder_is_missing(tmp_path: Path):
    started = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", *command("train", "data=image_folder")[1:]], cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    took = time.perf_counter() - started
    said = [line for line in answer.stderr.splitlines() if not line.startswith("import time:")]
    assert (answer.returncode, said) == (1, ["", "error: data.root must be given: data.root=... (--help says what it is)"])
    imported = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines() if line.startswith("import time:")}
    assert not {"torch", "lightning", "matplotlib", "wandb"} & imported
    assert took < 10  # about one on an idle machine
    assert list(tmp_path.iterdir()) == []


def test_commands_speak_under_a_locale_without_letters(tmp_path: Path):
    plain = {**environment(tmp_path), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    answer = subprocess.run(
        command("train", "notes=é≈", "sed=1"), cwd=tmp_path, env=plain, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "did you mean seed?" in answer.stderr
    assert "Traceback" not in answer.stderr
