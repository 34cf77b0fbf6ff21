"""Cached tokens: the tokenizer's, once per tokenizer, pictures and mirroring."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.data.token_cache import TokenCache
from tests.support.builders import image_set, tokenizer


class CountingEncoder:
    """The tokenizer's encoder, with a count of the pictures it has seen."""

    def __init__(self) -> None:
        self.tokenizer, self.pictures = tokenizer(), 0

    def __call__(self, images: Tensor) -> Tensor:
        self.pictures += len(images)
        return self.tokenizer.encode(images)


def cache(folder: Path, encode: CountingEncoder) -> TokenCache:
    return TokenCache(folder=folder, tokenizer_id=encode.tokenizer.sha256, batch_size=3)


def test_tokens_equal_the_tokenizers_and_are_computed_once(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(8)
    for _ in range(2):
        tokens = cache(tmp_path, encode).tokens(images, encode, num_tokens=64, flip=False)
    assert encode.pictures == 8
    assert tokens.dtype == np.uint16
    expected = encode.tokenizer.encode(torch.from_numpy(images.images))
    np.testing.assert_array_equal(tokens, expected.numpy())


def test_mirrored_copies_are_encoded_not_mirrored_in_the_grid(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(4)
    tokens = cache(tmp_path, encode).tokens(images, encode, num_tokens=64, flip=True)
    mirrored = torch.from_numpy(np.ascontiguousarray(images.images[:, :, ::-1]))
    np.testing.assert_array_equal(tokens[4:], encode.tokenizer.encode(mirrored).numpy())
    assert not np.array_equal(tokens[4:], tokens[:4].reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64))


def test_other_tokenizers_pictures_and_mirroring_have_their_own_files(tmp_path: Path):
    encode = CountingEncoder()
    other = TokenCache(folder=tmp_path, tokenizer_id="another", batch_size=3)
    cache(tmp_path, encode).tokens(image_set(4), encode, num_tokens=64, flip=False)
    cache(tmp_path, encode).tokens(image_set(4), encode, num_tokens=64, flip=True)
    cache(tmp_path, encode).tokens(image_set(4, seed=1), encode, num_tokens=64, flip=False)
    other.tokens(image_set(4), encode, num_tokens=64, flip=False)
    assert len(list(tmp_path.glob("*.npy"))) == 4
