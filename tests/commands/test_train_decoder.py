"""A decoder for a run: trained after stage 2 or given later, found again, used by default, and refused where it does not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.inpainter import Inpainter
from tests.conftest import Made
from tests.support.builders import boxes, pictures
from tests.support.commands import run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_run")]

DECODER = (
    "decoder.training.max_steps=10", "decoder.training.fill_steps=4", "decoder.training.num_fills=8",
    "decoder.training.val_every_n_steps=5", "decoder.training.batch_size=8",
)  # fmt: skip


def test_train_decoder_gives_a_run_its_decoder_once_and_fills_use_it(made: Made, tmp_path: Path):
    folder = tmp_path / "run"
    shutil.copytree(made.folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    command = (f"run={folder}", "accelerator=cpu", *DECODER)
    answer = run("train_decoder", *command, cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {name: (folder / name).read_bytes() for name in before} == before
    again = run("train_decoder", *command, cwd=made.cwd, home=made.home)
    assert again.returncode == 1
    assert "decoder.pt is there already: overwrite=true replaces it" in again.stderr
    kept = (folder / "decoder.pt").read_bytes()
    found = run("train_decoder", *command, "overwrite=true", cwd=made.cwd, home=made.home)
    assert "found in the cache" in found.stdout
    assert (folder / "decoder.pt").read_bytes() == kept
    images, masks = pictures(3, resolution=64), boxes(3, resolution=64)
    fills = {
        which: Inpainter.from_run(folder, device="cpu", decoder=which)(images, masks) for which in (None, "conditional", "plain")
    }
    np.testing.assert_array_equal(fills[None].decoded, fills["conditional"].decoded)
    assert (fills[None].decoded != fills["plain"].decoded).any()
    np.testing.assert_array_equal(fills["plain"].decoded, Inpainter.from_run(made.folder, device="cpu")(images, masks).decoded)
    out = tmp_path / "measured"
    measured = run(
        "evaluate", f"run={folder}", f"out={out}", "schedules=[cosine]", "sweet_spots=[3]", "seeds=[0]", "device=cpu",
        cwd=made.cwd, home=made.home,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stdout + measured.stderr
    content = json.loads((out / "evaluation.json").read_text())
    assert len(content["protocol"]["decoder"]) == 64
    assert {"VQGAN reconstruction, decoded", "VQGAN reconstruction, known pixels given"} <= content["references"].keys()


def test_inpainter_without_a_decoder_fills_as_before_and_says_what_is_missing(made: Made):
    assert Inpainter.from_run(made.folder, device="cpu").filler.decoder is None
    with pytest.raises(FileNotFoundError, match=r"no decoder at .*train_decoder run=RUN"):
        Inpainter.from_run(made.folder, device="cpu", decoder="conditional")
    with pytest.raises(ValueError, match="use_decoder must be conditional, plain or null, got 'best'"):
        Inpainter.from_run(made.folder, device="cpu", decoder="best")
