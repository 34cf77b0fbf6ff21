"""docs/extending.md: its files, written outside the package, are a schedule, a policy and a data set that work."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from maskgit_lab.inpainter import Inpainter
from tests.support.builders import boxes, pictures, write_pictures
from tests.support.commands import NO_FIGURES, SMALL_RUN, run
from tests.support.documents import ROOT, shown_files, write_shown_files
from tests.support.oracle import decode_with

PAGE = ROOT / "docs" / "extending.md"
NAMES = "bend.Bend,rows.RowsFirst,discs.Discs"
SMALL = (
    "callbacks.scores=null", "callbacks.samples=null", "logger=csv", "trainer.max_epochs=1", "data.source.num_train=24",
    "data.source.num_val=8", "data.source.num_test=8", "tokenizer.training.max_steps=4", "tokenizer.training.val_every_n_steps=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my_project")
    write_shown_files(PAGE, folder)
    return folder


@pytest.fixture
def classes(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the page."""
    monkeypatch.syspath_prepend(str(project))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("bend", "rows", "discs")})
    for name in ("bend", "rows", "discs"):
        sys.modules.pop(name)


def test_extending_shows_three_files_of_each_kind():
    names = list(shown_files(PAGE))
    assert [Path(name).suffix for name in names] == [".py", ".yaml", ".yaml"] * 3
    assert all((ROOT / "conf" / name.removeprefix("conf/")).parent.is_dir() for name in names if name.endswith(".yaml"))


def test_extending_schedule_is_one(classes: Any):
    bend = classes.bend.Bend(exponent=3.0)
    assert [bend(0.0), bend(0.5), bend(1.0)] == [1.0, 0.125, 0.0]
    with pytest.raises(ValueError, match=r"mask_schedule.exponent must be above 0, got 0"):
        classes.bend.Bend(exponent=0)


@pytest.mark.parametrize("upwards", [False, True])
def test_extending_policy_goes_row_by_row(classes: Any, upwards: bool):
    mask = torch.ones(1, 16, dtype=torch.bool)
    trace = decode_with(
        lambda tokens: torch.zeros(1, 16, 9), torch.zeros(1, 16, dtype=torch.int64), mask, mask_token_id=8, num_steps=4,
        schedule=classes.bend.Bend(exponent=1.0), policy=classes.rows.RowsFirst(upwards=upwards),
    )  # fmt: skip
    rows = trace.step_masks.view(4, 4, 4).all(-1).tolist()
    down = [[False, True, True, True], [False, False, True, True], [False, False, False, True], [False] * 4]
    assert rows == ([row[::-1] for row in down] if upwards else down)


def test_extending_data_set_is_drawn_from_its_seed(classes: Any, tmp_path: Path):
    splits = [classes.discs.Discs(num_train=2, num_val=1, num_test=1, seed=seed).load(cache=tmp_path) for seed in (1, 1, 2)]
    assert np.array_equal(splits[0].train.images, splits[1].train.images)
    assert splits[0].train.fingerprint == splits[1].train.fingerprint != splits[2].train.fingerprint
    assert len(np.unique(splits[0].train.images[0].reshape(-1, 3), axis=0)) == 2  # a disc and its background


@pytest.mark.slow
def test_extending_files_train_and_are_trusted_only_when_told(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = shutil.copytree(project, tmp_path / "place")
    own = [text for text in SMALL_RUN if text.split("=")[0] not in {small.split("=")[0] for small in SMALL}]
    answer = run(
        "train", "--config-dir", "conf", "experiment=discs", "mask_schedule=bend", "decode.policy=rows", *own, *SMALL,
        cwd=place, home=tmp_path, variables=NO_FIGURES,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (folder,) = (place / "runs" / "discs").iterdir()
    write_pictures(place / "photos", pictures(2, resolution=64))
    write_pictures(place / "masks", boxes(2, resolution=64))
    refused = run("inpaint", f"run={folder}", "images=photos", "masks=masks", "out=filled", cwd=place, home=tmp_path)
    assert refused.returncode == 1
    assert f"{folder}/config.yaml: data.source._target_ is 'discs.Discs', which a configuration" in refused.stderr
    assert "set MASKGIT_LAB_TRUST=discs.Discs" in refused.stderr
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("MASKGIT_LAB_TRUST", NAMES)
    settings = Inpainter.from_run(folder, device="cpu").filler.settings
    assert f"export MASKGIT_LAB_TRUST={NAMES}" in PAGE.read_text()
    assert (settings.policy.name, type(settings.schedule).__name__) == ("RowsFirst", "Bend")


@pytest.mark.slow
def test_extending_schedule_and_policy_decode_a_run_that_knows_neither(project: Path, tmp_path: Path):
    place = shutil.copytree(project, tmp_path / "place")
    write_pictures(place / "photos", pictures(2, resolution=64))
    write_pictures(place / "masks", boxes(2, resolution=64))
    answer = run(
        "inpaint", "--config-dir", "conf", f"run={ROOT / 'tests/fixtures/run'}", "images=photos", "masks=masks", "out=bent",
        "mask_schedule=bend", "decode.policy=rows", cwd=place, home=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert len(list((place / "bent" / "composited").iterdir())) == 2
