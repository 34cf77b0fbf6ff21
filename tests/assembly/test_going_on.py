"""What a run that goes on is held to."""

import shutil
from pathlib import Path

import pytest
import torch

from maskgit_lab.assembly.going_on import (
    LastState,
    check_length,
    last_state,
    name_differences,
    own_tokenizer,
    require_recorded_images,
)
from maskgit_lab.assembly.read import load_config
from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import provenance
from tests.support.builders import tokenizer

RUN = Path(__file__).parents[1] / "fixtures" / "run"
IMAGES = {"train": {"count": 3, "sha256": "a"}}


def test_last_state_is_what_the_checkpoint_has_behind_it():
    config = load_config(RUN)
    assert last_state(config, RunFolder(RUN)) is None  # a new run
    config.resume = str(RUN)
    last = last_state(config, RunFolder(RUN))
    assert last is not None
    assert (last.epochs, last.steps) == (2, 24)
    own = own_tokenizer(RunFolder(RUN), last)
    assert own is not None
    assert own.sha256 == last.tokenizer_sha256


def test_last_state_of_a_start_without_a_checkpoint_is_none_and_of_a_finished_run_an_error(tmp_path: Path):
    config, folder = load_config(RUN), RunFolder(tmp_path)
    config.resume = str(tmp_path)
    folder.write_result({"status": "interrupted"})
    assert last_state(config, folder) is None
    folder.write_result({"status": "failed", "scores": []})
    with pytest.raises(ValueError, match=r"is finished and has no checkpoints/last\.ckpt"):
        last_state(config, folder)


def test_last_state_names_a_damaged_checkpoint_and_the_whole_one_beside_it(tmp_path: Path):
    shutil.copytree(RUN, tmp_path / "run")
    config, folder = load_config(RUN), RunFolder(tmp_path / "run")
    config.resume = str(folder.root)
    folder.checkpoint("last").write_bytes(b"damaged\n")
    with pytest.raises(DamagedFileError, match=r"last\.ckpt .*checkpoint=best"):
        last_state(config, folder)
    config.checkpoint = "best"
    assert last_state(config, folder) is not None


@pytest.mark.parametrize(("epochs", "refused"), [(1, True), (2, False), (-1, False), (None, False)])
def test_check_length_refuses_fewer_epochs_than_there_are(epochs: int | None, refused: bool):
    config = load_config(RUN)
    config.trainer["max_epochs"] = epochs
    check_length(config, None)
    if refused:
        with pytest.raises(ValueError, match=r"trainer\.max_epochs=1: the run has 2 epochs behind it"):
            check_length(config, LastState(2, 24, ""))
    else:
        check_length(config, LastState(2, 24, ""))


def test_own_tokenizer_is_never_another_one(tmp_path: Path):
    folder, own = RunFolder(tmp_path), tokenizer()
    assert own_tokenizer(folder, None) is None  # a start that was stopped in stage 1
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.pt is gone: .* need tokenizer abcdef"):
        own_tokenizer(folder, LastState(1, 5, "abcdef"))
    own.save(folder.tokenizer)
    for last in (LastState(1, 5, own.sha256), None):
        found = own_tokenizer(folder, last)
        assert found is not None
        assert found.sha256 == own.sha256
    before = folder.tokenizer.read_bytes()
    with pytest.raises(ValueError, match=r"tokenizer\.pt: the checkpoint was trained on tokens of tokenizer abcdef"):
        own_tokenizer(folder, LastState(1, 5, "abcdef"))
    assert folder.tokenizer.read_bytes() == before
    assert torch.load(folder.tokenizer, weights_only=True)


def test_require_recorded_images_refuses_others_unless_forced(caplog: pytest.LogCaptureFixture):
    other = {"train": {"count": 4, "sha256": "b"}}
    require_recorded_images({"images": IMAGES}, IMAGES, "cats", force=False)
    assert caplog.text == ""
    with pytest.raises(ValueError, match=r"train has 4 images, recorded 3\. force=true goes on"):
        require_recorded_images({"images": IMAGES}, other, "cats", force=False)
    require_recorded_images({"images": IMAGES}, other, "cats", force=True)
    assert "force=true: the images are not those the run recorded: train has 4" in caplog.text


def test_require_recorded_images_compares_the_description_of_a_run_of_an_earlier_version(caplog: pytest.LogCaptureFixture):
    require_recorded_images({}, IMAGES, "cats", force=False)
    require_recorded_images({"data": "cats"}, IMAGES, "cats", force=False)
    assert caplog.text == ""
    require_recorded_images({"data": "dogs"}, IMAGES, "cats", force=False)
    assert "The images may not be those of the run: cats; recorded: dogs" in caplog.text


def test_name_differences_has_a_line_for_each(caplog: pytest.LogCaptureFixture):
    name_differences({"provenance": provenance()})
    name_differences({})
    assert caplog.text == ""
    name_differences({"provenance": provenance() | {"torch": "1.0", "commit": "abc", "processor": "another"}})
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split()[5] for line in lines] == ["torch", "commit"]
    assert lines[0].endswith(", recorded 1.0")
