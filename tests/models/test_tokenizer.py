"""The frozen tokenizer: fixed, exact, a file of its own."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from maskgit_lab.models.tokenizer import FrozenTokenizer
from tests.support.builders import pictures, tokenizer

pytestmark = pytest.mark.processor


def test_frozen_tokenizer_encodes_bytes_and_floats_alike():
    images = torch.from_numpy(pictures(3))
    frozen = tokenizer()
    tokens = frozen.encode(images)
    assert tokens.shape == (3, 64)
    assert torch.equal(tokens, frozen.encode(images.permute(0, 3, 1, 2).float() / 255))


def test_frozen_tokenizer_decodes_to_the_unit_range():
    decoded = tokenizer().decode(torch.randint(16, (4, 64)))
    assert decoded.shape == (4, 3, 32, 32)
    assert decoded.min() >= 0
    assert decoded.max() <= 1


def test_frozen_tokenizer_encodes_the_normalised_image():
    frozen, images = tokenizer(), torch.rand(2, 3, 32, 32)
    normalised = (images - 0.5) / 0.25
    assert torch.equal(frozen.encode(images), frozen.model.encode(normalised))


def test_frozen_tokenizer_is_not_trainable_and_needs_no_gradients():
    frozen = tokenizer()
    assert not any(p.requires_grad for p in frozen.model.parameters())
    assert not frozen.model.training
    assert not frozen.features(torch.rand(1, 3, 32, 32, requires_grad=True)).requires_grad


def test_frozen_tokenizer_changes_no_token_under_autocast():
    images = torch.from_numpy(pictures(16))
    frozen = tokenizer()
    with torch.autocast("cpu", torch.bfloat16):
        inside = frozen.encode(images)
        picture = frozen.decode(inside)
    assert torch.equal(inside, frozen.encode(images))
    assert picture.dtype == torch.float32


def test_frozen_tokenizer_comes_back_from_its_file(tmp_path: Path):
    frozen, images = tokenizer(), torch.from_numpy(pictures(3))
    frozen.save(tmp_path / "deep" / "tokenizer.pt")
    loaded = FrozenTokenizer.load(tmp_path / "deep" / "tokenizer.pt")
    assert loaded.sha256 == frozen.sha256
    assert (loaded.mean, loaded.std) == (frozen.mean, frozen.std)
    assert torch.equal(loaded.encode(images), frozen.encode(images))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["tokenizer.pt"]


def test_frozen_tokenizer_hash_sees_weights_and_normalisation():
    frozen = tokenizer()
    assert tokenizer().sha256 == frozen.sha256
    assert tokenizer(seed=1).sha256 != frozen.sha256
    assert FrozenTokenizer(frozen.model, mean=(0.5,) * 3, std=(0.3,) * 3).sha256 != frozen.sha256


def test_frozen_tokenizer_shares_its_weights_with_copies():
    frozen = tokenizer()
    assert copy.deepcopy({"tokenizer": frozen})["tokenizer"] is frozen


def test_frozen_tokenizer_refuses_other_files(tmp_path: Path):
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt is not a tokenizer of this package; tokenizer.checkpoint takes"):
        FrozenTokenizer.load(tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError, match=r"no tokenizer at .*none.pt: train one"):
        FrozenTokenizer.load(tmp_path / "none.pt")


def test_frozen_tokenizer_refuses_images_of_another_size():
    with pytest.raises(ValueError, match=r"takes \(3, 32, 32\) images, got \(3, 64, 64\)"):
        tokenizer().encode(torch.from_numpy(np.zeros((1, 64, 64, 3), np.uint8)))
