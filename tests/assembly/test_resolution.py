"""One key for the size of everything: what follows it, what a typed value overrides, what is refused before stage 1."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from maskgit_lab.assembly import keys
from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.keys import tokenizer_key, training_key
from maskgit_lab.assembly.networks import build_model
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.models.tokenizer import FrozenTokenizer
from tests.support.builders import splits, tokenizer
from tests.support.configs import configuration

RECIPES = ("tiny", "small", "lab")
GRIDS = {64: 16, 128: 16, 256: 32}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("resolution", GRIDS)
def test_resolution_is_that_of_images_tokenizer_and_model_in_every_recipe(recipe: str, resolution: int):
    config = configuration(f"recipe={recipe}", f"resolution={resolution}")
    assert build(config.data["source"]).resolution == resolution
    with shapes_only():
        network = build(config.tokenizer.model)
        sizes: Any = SimpleNamespace(
            num_image_tokens=network.num_image_tokens, num_codebook_vectors=network.num_codebook_vectors,
            grid=network.latent_resolution, resolution=network.img_resolution,
        )  # fmt: skip
        model = build_model(config.model, sizes)
    assert (sizes.resolution, sizes.grid) == (resolution, GRIDS[resolution])
    assert model.transformer.num_image_tokens == GRIDS[resolution] ** 2
    if model.context is not None:
        assert model.context.cell == resolution // GRIDS[resolution]


@pytest.mark.parametrize("data", ["cat_faces", "image_folder"])
def test_resolution_reaches_every_data_set(data: str):
    assert configuration(f"data={data}", "data.root=.", "resolution=96").data["source"]["resolution"] == 96


@pytest.mark.parametrize(
    ("recipe", "key"), [("tiny", "59223f15a5ccc034"), ("small", "f011ce4d84dc949c"), ("lab", "8f52750e41fe1af3")]
)
def test_resolution_64_keeps_the_keys_of_caches(monkeypatch: pytest.MonkeyPatch, recipe: str, key: str):
    monkeypatch.setattr(keys, "STAGE1_MUON_VERSION", 1)  # as it was; a later version is another key on purpose
    config = configuration(f"recipe={recipe}")
    assert tokenizer_key(config, splits()) == key  # of earlier versions, which had no such key
    before = dataclasses.replace(config, resolution=None)
    assert training_key(config, splits(), tokenizer()) == training_key(before, splits(), tokenizer())


def test_resolution_gives_way_to_what_is_typed():
    model = configuration("resolution=128", "tokenizer.model.patch_size=4").tokenizer.model
    assert (model["img_resolution"], model["patch_size"]) == (128, 4)
    both = configuration("data.source.resolution=32", "tokenizer.model.img_resolution=32")
    assert both.tokenizer.model["patch_size"] == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.source.resolution=128"], r"data.source.resolution is 128 and tokenizer.* is 64: resolution=128 sets both"),
        (["resolution=100"], r"100 pixels per side are no multiple of tokenizer.model.patch_size \(8\): resolution=96"),
        (["resolution=0"], "resolution must be at least 1"),
        (["resolution=256", "mask_schedule=exp"], "has 1024 tokens: mask_schedule.num_image_tokens=1024"),
    ],
)
def test_resolution_that_does_not_fit_is_refused_with_the_remedy(overrides: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        configuration(*overrides)


def test_resolution_of_a_given_tokenizer_is_that_of_the_images(tmp_path: Path):
    made = tokenizer()
    made.save(tmp_path / "tokenizer.pt")
    given = f"tokenizer.checkpoint={tmp_path / 'tokenizer.pt'}"
    with pytest.raises(ValueError, match=r"is for images of 32 pixels, these have 64: resolution=32, or without"):
        find_or_train_tokenizer(configuration(given), splits(), folder=tmp_path)
    found = find_or_train_tokenizer(configuration(given, "resolution=32"), splits(), folder=tmp_path)
    assert found.sha256 == made.sha256


@pytest.mark.parametrize("resolution", [128, 256])
def test_resolution_tiny_networks_encode_and_predict(resolution: int):
    small = ["tokenizer.model.channels=8", "model.transformer.dim=16", "model.context.channels=8", "model.context.num_blocks=1"]
    config = configuration(f"resolution={resolution}", *small)
    made = FrozenTokenizer(build(config.tokenizer.model), mean=config.tokenizer.mean, std=config.tokenizer.std)
    model = build_model(config.model, made)
    images = torch.randint(256, (1, resolution, resolution, 3), dtype=torch.uint8)
    holes = torch.zeros(1, resolution, resolution, dtype=torch.bool)
    tokens = made.encode(images)
    logits = model(tokens, model.read_context(images, holes))
    assert logits.shape == (1, GRIDS[resolution] ** 2, made.num_codebook_vectors + 1)
    assert made.decode(tokens).shape == (1, 3, resolution, resolution)
