"""The fills that a decoder is trained on: the run's own, as precise as the stage, kept by what they depend on."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from maskgit_lab.assembly import decoder_stage
from maskgit_lab.assembly.schemas import DecoderConfig
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.fill_set import Filler
from tests.support.builders import boxes, model, pictures, tokenizer

pytestmark = pytest.mark.processor


@pytest.fixture
def filler() -> Filler:
    return Filler(model(), tokenizer(), DecodeSettings(schedule=Cosine(), num_steps=3))


def test_fills_are_the_runs_own_and_are_made_once(filler: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images, holes = pictures(6), torch.from_numpy(boxes(3))
    first = decoder_stage._fills(filler, images, holes, "by", count=5, flip=True, cache=tmp_path)
    expected = filler.fill(first.images.numpy(), first.holes.numpy(), range(5)).tokens
    assert torch.equal(first.tokens, expected)
    monkeypatch.setattr(Filler, "token_batches", None)
    again = decoder_stage._fills(filler, images, holes, "by", count=5, flip=True, cache=tmp_path)
    assert torch.equal(again.tokens, expected)


def test_fills_of_another_precision_are_others(filler: Filler, tmp_path: Path):
    images, holes = pictures(6), torch.from_numpy(boxes(3))
    for autocast in (None, torch.bfloat16):
        there = dataclasses.replace(filler, autocast=autocast)
        decoder_stage._fills(there, images, holes, "by", count=5, flip=True, cache=tmp_path)
    assert len(list((tmp_path / "fills").glob("*.npy"))) == 2


class SeenError(Exception):
    """Ends a stage where its training would begin, with the filler and the hash that it was given."""


def seen(filler: Filler, folder: Path, monkeypatch: pytest.MonkeyPatch, *, precision: str = "32-true", **training: Any) -> Any:
    """Return the filler with which a stage would train, and the hash of what its fills depend on."""

    def train(*given: Any, painter: str, **options: Any) -> None:
        raise SeenError(given[3], painter)

    monkeypatch.setattr(decoder_stage, "decoder_key", lambda *_given, **_options: "key")
    monkeypatch.setattr(decoder_stage, "_train", train)
    splits: Any = dataclasses.make_dataclass("Splits", ["description"])("some images")
    none: Any = None
    decoder = DecoderConfig(model={}, training={"num_fills": 4, "fill_steps": 2, **training})
    with pytest.raises(SeenError) as error:
        decoder_stage.find_or_train_decoder(
            decoder, none, splits, filler, seed=1, cache=folder, folder=folder, accelerator="cpu", precision=precision
        )
    return error.value.args


@pytest.mark.parametrize(("precision", "autocast"), [("32-true", None), ("bf16-mixed", torch.bfloat16)])
def test_find_or_train_decoder_fills_in_the_precision_of_the_stage(
    precision: str, autocast: torch.dtype | None, filler: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there, painter = seen(filler, tmp_path, monkeypatch, precision=precision)
    assert there.autocast == autocast
    assert painter == seen(filler, tmp_path, monkeypatch)[1]


def test_find_or_train_decoder_fills_in_the_steps_and_with_the_sweet_spot_of_the_run(
    filler: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped = dataclasses.replace(filler, settings=dataclasses.replace(filler.settings, sweet_spot=2))
    assert seen(stopped, tmp_path, monkeypatch)[0].settings == stopped.settings


def test_find_or_train_decoder_fills_in_the_steps_that_are_asked_for(
    filler: Filler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stopped = dataclasses.replace(filler, settings=dataclasses.replace(filler.settings, sweet_spot=2))
    there, painter = seen(stopped, tmp_path, monkeypatch, fill_decode_steps=1)
    assert (there.settings.num_steps, there.settings.stop) == (1, 1)
    assert painter != seen(stopped, tmp_path, monkeypatch)[1]
