"""Cached tokens: the tokenizer's, once per tokenizer, images and mirroring."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.data.image_set import ImageSet
from maskgit_lab.data.token_cache import cached_tokens
from tests.support.builders import image_set, tokenizer


class CountingEncoder:
    """The tokenizer's encoder, with a count of the images it has seen."""

    def __init__(self) -> None:
        self.tokenizer, self.pictures = tokenizer(), 0

    def __call__(self, images: Tensor) -> Tensor:
        self.pictures += len(images)
        return self.tokenizer.encode(images)


def tokens_of(images: ImageSet, encode: CountingEncoder, folder: Path, *, flip: bool, name: str | None = None) -> np.ndarray:
    name = name or encode.tokenizer.sha256
    return cached_tokens(images, encode, folder=folder, tokenizer_id=name, num_tokens=64, flip=flip, batch_size=3)


def test_cached_tokens_are_the_tokenizers_and_computes_them_once(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(8)
    for _ in range(2):
        tokens = tokens_of(images, encode, tmp_path, flip=False)
    assert encode.pictures == 8
    assert tokens.dtype == np.uint16
    expected = encode.tokenizer.encode(torch.from_numpy(images.images))
    np.testing.assert_array_equal(tokens, expected.numpy())


def test_cached_tokens_of_mirrored_copies_are_encoded_and_the_grid_is_not_mirrored(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(4)
    tokens = tokens_of(images, encode, tmp_path, flip=True)
    mirrored = torch.from_numpy(np.ascontiguousarray(images.images[:, :, ::-1]))
    np.testing.assert_array_equal(tokens[4:], encode.tokenizer.encode(mirrored).numpy())
    assert not np.array_equal(tokens[4:], tokens[:4].reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64))


def test_cached_tokens_have_a_file_for_each_tokenizer_images_and_mirroring(tmp_path: Path):
    encode = CountingEncoder()
    tokens_of(image_set(4), encode, tmp_path, flip=False)
    tokens_of(image_set(4), encode, tmp_path, flip=True)
    tokens_of(image_set(4, seed=1), encode, tmp_path, flip=False)
    tokens_of(image_set(4), encode, tmp_path, flip=False, name="another")
    assert len(list(tmp_path.glob("*.npy"))) == 4
