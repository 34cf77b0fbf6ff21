"""An inpainter in a folder: the same fills come out, damage is named, and a file asks for nothing that is not ours."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskgit_lab.core.by_name import (
    POLICIES,
    SCHEDULES,
    changed_settings,
    plain_policy,
    plain_schedule,
    policy_named,
    schedule_named,
)
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine, MaskSchedule
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from tests.support.builders import boxes, model, pictures, tokenizer
from tests.support.lab_files import write_lab_files

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "tests" / "fixtures" / "run"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "vector": {"shares": [0.5, 0.25, 0.0]}, "log": {"num_image_tokens": 64}, "exp": {"num_image_tokens": 64},
    "vectors": {"order_temperatures": [1.0, 0.5], "token_temperatures": [0.5, 0.0]}, "eb": {"epsilon": 0.25},
}  # fmt: skip
needs_safetensors = pytest.mark.skipif(
    find_spec("safetensors") is None, reason="safetensors is not installed: pip install safetensors"
)


def small(*, decoder: bool = True, **decode: Any) -> Inpainter:
    """Return an inpainter with new networks at 32 pixels."""
    known = tokenizer()
    own = FrozenDecoder(ConditionalDecoder(network=known.model), known) if decoder else None
    settings = changed_settings(DecodeSettings(Cosine(), num_steps=3), **decode)
    return Inpainter(Filler(model().eval(), known, settings, seed=3, decoder=own), hole_share=(0.05, 0.4))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_the_same_when_kept_by_name(name: str):
    schedule = schedule_named(name, **ARGUMENTS.get(name, {}))
    again = schedule_named(**json.loads(json.dumps(plain_schedule(schedule))))
    progress = torch.linspace(0, 1, 33, dtype=torch.float64)
    assert torch.equal(schedule(progress), again(progress))


@pytest.mark.parametrize("name", POLICIES)
def test_policies_are_the_same_when_kept_by_name(name: str):
    policy = policy_named(name, **ARGUMENTS.get(name, {}))
    again = policy_named(**json.loads(json.dumps(plain_policy(policy))))
    assert repr(again) == repr(policy)


def test_names_are_those_of_the_configuration():
    for known, group in ((SCHEDULES, "mask_schedule"), (POLICIES, "decode/policy")):
        files = {path.stem: path.read_text() for path in (ROOT / "conf" / group).glob("*.yaml")}
        assert set(files) == set(known)
        for name, text in files.items():
            assert f".{known[name].__name__}" in text


def test_names_of_others_are_refused():
    class Own(MaskSchedule):
        def share(self, r: torch.Tensor) -> torch.Tensor:
            return 1 - r

    with pytest.raises(ValueError, match="mask_schedule must be one of arccos, cosine"):
        schedule_named("os.system")
    with pytest.raises(ValueError, match=r"decode.policy eb: .*unexpected keyword argument 'command'"):
        policy_named("eb", command="true")
    with pytest.raises(ValueError, match="is of another package"):
        plain_schedule(Own())


@needs_safetensors
@pytest.mark.parametrize("decoder", [True, False])
def test_saved_inpainter_gives_the_same_fills(decoder: bool, tmp_path: Path):
    before = small(decoder=decoder, policy="eb", token_temperature=0.5, mask_schedule="square")
    before.save(tmp_path / "kept")
    after = Inpainter.load(tmp_path / "kept", device="cpu")
    assert (after.hole_share, after.speed, after.filler.seed) == (before.hole_share, before.speed, 3)
    assert repr(after.filler.settings) == repr(before.filler.settings)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(
        ["inpainter.json", "model.safetensors", "tokenizer.safetensors", *(["decoder.safetensors"] if decoder else [])]
    )
    images, holes = pictures(2), boxes(2)
    for first, second in zip(
        before(images, holes, num_samples=2).composited, after(images, holes, num_samples=2).composited, strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert Inpainter.load(tmp_path / "kept", device="cpu", seed=4, num_steps=2).filler.settings.num_steps == 2


@needs_safetensors
def test_saved_inpainter_replaces_none_unless_told(tmp_path: Path):
    inpainter = small(decoder=False)
    inpainter.save(tmp_path)
    with pytest.raises(ValueError, match=r"is there already: save\(folder, overwrite=True\)"):
        inpainter.save(tmp_path)
    inpainter.with_decode(num_steps=2).save(tmp_path, overwrite=True)
    assert Inpainter.load(tmp_path, device="cpu").filler.settings.num_steps == 2


@needs_safetensors
def test_saved_inpainter_that_is_damaged_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no inpainter in .*no inpainter.json"):
        Inpainter.load(tmp_path)
    small().save(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for path, data in files.items():
        for damaged in (data[: len(data) // 2], data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], b""):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=path.name):
                Inpainter.load(tmp_path)
        path.unlink()
        with pytest.raises(FileNotFoundError, match=path.name):
            Inpainter.load(tmp_path)
        path.write_bytes(data)
    Inpainter.load(tmp_path)


@needs_safetensors
@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (("format",), "maskgit_lab.inpainter/9", "is of format 'maskgit_lab.inpainter/9'"),
        (("tokenizer", "architecture"), "os.system", "has not the parts of a tokenizer"),
        (("tokenizer", "arguments", "channels"), 10**9, "has not the parts of a tokenizer"),
        (("model", "transformer", "num_layers"), 10**9, "layers must be .*at most"),
        (("model", "transformer", "hidden_dim"), 10**9, "other shapes"),
        (("model", "transformer", "_target_"), "os.system", "has not the parts of an inpainter"),
        (("model", "transformer", "num_image_tokens"), 16, "another tokenizer"),
        (("decode", "schedule", "name"), "os.system", "mask_schedule must be one of"),
        (("decode", "policy"), {"name": "confidence", "_target_": "os.system"}, "unexpected keyword argument"),
        (("decode", "command"), "true", "decode.command, which this version does not know"),
        (("decode", "num_steps"), 0, "decode.num_steps must be at least 1"),
        (("hole_share",), [0.5, 0.1], "hole_share must be above 0 and at most 0.1"),
        (("speed",), "ludicrous", "speed must be fast or plain"),
        (("seed",), -1, "seed must be at least 0"),
        (("model",), None, "has not the parts of an inpainter"),
    ],
)
def test_saved_inpainter_may_ask_for_what_is_ours_only(place: tuple[str, ...], value: Any, match: str, tmp_path: Path):
    small(decoder=False).save(tmp_path)
    path = tmp_path / "inpainter.json"
    content = json.loads(path.read_text())
    del content["crc32"]  # as somebody who means it would
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=match):
        Inpainter.load(tmp_path)


def test_from_lab_fills_at_the_resolution_that_its_tensors_say(tmp_path: Path):
    inpainter = Inpainter.from_lab(*write_lab_files(tmp_path, grid=4), device="cpu", num_steps=2)
    assert (inpainter.resolution, inpainter.filler.tokenizer.grid) == (16, 4)  # 16 tokens of 4 pixels
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    hole = np.zeros((40, 50), bool)
    hole[10:20, 10:20] = True
    filled = inpainter(image, hole, steps=True)
    np.testing.assert_array_equal(filled.composited[~hole], image[~hole])
    assert len(filled.reveal()) == 2
