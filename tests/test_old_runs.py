"""A run folder of an earlier version: what it names exists, what it holds loads, and its fills are the same tokens.

`fixtures/run` is a very small run on painted cats, written before the package was rearranged. Paths in its checkpoints were made
relative and best.ckpt was relieved of its optimiser; nothing else was changed. `fills.npz` holds two test images with their holes
and the tokens that the same code filled them with, at seed 0 and in float32.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from maskgit_lab.assembly import keys
from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.load import load_tokenizer
from maskgit_lab.assembly.read import as_yaml, load_config
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from tests.support import builders
from tests.support.configs import check_target, targets

FIXTURES = Path(__file__).parent / "fixtures"
RUN = FIXTURES / "run"


def test_old_run_names_classes_that_exist_and_take_what_they_are_given():
    nodes = list(targets(OmegaConf.create(as_yaml(load_config(RUN)))))
    assert len(nodes) > 10
    for node in nodes:
        check_target(node)


def test_old_run_builds_what_needs_nothing_else():
    config = load_config(RUN)
    nodes = (config.data["source"], config.optimizer, config.mask_schedule, config.tokenizer.model)
    for node in (*nodes, config.callbacks["throughput"]):
        assert build(node) is not None


def test_old_run_result_and_tokenizer_are_read():
    tokenizer = load_tokenizer(RunFolder(RUN))
    assert RunFolder(RUN).read_result()["tokenizer_sha256"] == tokenizer.sha256


def test_old_run_finds_caches_under_the_same_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keys, "STAGE1_VERSION", 1)  # as they were; a later version is another key on purpose
    monkeypatch.setattr(keys, "STAGE2_VERSION", 1)
    config, splits = load_config(RUN), builders.splits()
    assert keys.tokenizer_key(config, splits) == "77cc5ab53fac4ebf"
    assert keys.training_key(config, splits, FrozenTokenizer.load(RUN / "tokenizer.pt")) == "349fc1f8e88fe8e7"


def test_old_run_fills_are_the_same_tokens():
    stored = np.load(FIXTURES / "fills.npz")
    images, holes = stored["images"], np.unpackbits(stored["holes"], axis=-1).astype(bool)
    for checkpoint in ("best", "last"):  # the last epoch was the best
        inpainter = Inpainter.from_run(RUN, checkpoint=checkpoint, device="cpu", seed=0)
        tokens = inpainter.filler.fill(images, holes, range(len(images))).trace.tokens
        assert torch.equal(tokens, torch.from_numpy(stored["tokens"].astype(np.int64)))


def test_old_run_files_name_no_place():
    for path in FIXTURES.rglob("*.*"):
        if path.is_file():
            assert not re.search(rb"/(tmp|home|root|Users)/", path.read_bytes())
