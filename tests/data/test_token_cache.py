"""Cached tokens: the tokenizer's, once per tokenizer, images and mirroring."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.data.token_cache import TokenCache
from tests.support.builders import image_set, tokenizer


class CountingEncoder:
    """The tokenizer's encoder, with a count of the images it has seen."""

    def __init__(self) -> None:
        self.tokenizer, self.pictures = tokenizer(), 0

    def __call__(self, images: Tensor) -> Tensor:
        self.pictures += len(images)
        return self.tokenizer.encode(images)


def cache(folder: Path, encode: CountingEncoder) -> TokenCache:
    return TokenCache(folder=folder, tokenizer_id=encode.tokenizer.sha256, batch_size=3)


def test_token_cache_holds_the_tokenizers_tokens_and_computes_them_once(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(8)
    for _ in range(2):
        tokens = cache(tmp_path, encode).tokens(images, encode, num_tokens=64, flip=False)
    assert encode.pictures == 8
    assert tokens.dtype == np.uint16
    expected = encode.tokenizer.encode(torch.from_numpy(images.images))
    np.testing.assert_array_equal(tokens, expected.numpy())


def test_token_cache_encodes_mirrored_copies_and_does_not_mirror_the_grid(tmp_path: Path):
    encode, images = CountingEncoder(), image_set(4)
    tokens = cache(tmp_path, encode).tokens(images, encode, num_tokens=64, flip=True)
    mirrored = torch.from_numpy(np.ascontiguousarray(images.images[:, :, ::-1]))
    np.testing.assert_array_equal(tokens[4:], encode.tokenizer.encode(mirrored).numpy())
    assert not np.array_equal(tokens[4:], tokens[:4].reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64))


def test_token_cache_has_a_file_for_each_tokenizer_images_and_mirroring(tmp_path: Path):
    encode = CountingEncoder()
    other = TokenCache(folder=tmp_path, tokenizer_id="another", batch_size=3)
    cache(tmp_path, encode).tokens(image_set(4), encode, num_tokens=64, flip=False)
    cache(tmp_path, encode).tokens(image_set(4), encode, num_tokens=64, flip=True)
    cache(tmp_path, encode).tokens(image_set(4, seed=1), encode, num_tokens=64, flip=False)
    other.tokens(image_set(4), encode, num_tokens=64, flip=False)
    assert len(list(tmp_path.glob("*.npy"))) == 4
