"""The frozen tokenizer's tokens of a set of images, computed once: training reads tokens, never pixels through the encoder."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.image_set import ImageSet, mirrored_images, slices

CACHE_VERSION = 1
MIN_FOR_BAR = 1000  # images; below it encoding is over before a bar can be read


def cached_tokens(
    image_set: ImageSet, encode: Callable[[Tensor], Tensor], *, folder: Path, tokenizer_id: str, num_tokens: int, flip: bool,
    batch_size: int,
) -> np.ndarray:  # fmt: skip
    """Return memory-mapped tokens, computed first when no file fits; there is one per tokenizer, set of images and mirroring.

    Args:
        image_set: the images.
        encode: uint8 (B, H, W, 3) -> int64 (B, N).
        folder: where the files are.
        tokenizer_id: changes with the tokenizer's weights (its sha256).
        num_tokens: N.
        flip: append the tokens of the mirrored images.
        batch_size: images encoded at once.

    Returns:
        (n or 2 n, N) uint16, originals first.
    """

    def encode_into(out: np.ndarray) -> None:
        with tqdm(total=len(out), desc="Encoding tokens", unit="img", disable=len(out) < MIN_FOR_BAR) as bar:
            for part in slices(len(out), batch_size):
                batch = mirrored_images(image_set.images, np.arange(part.start, part.stop))
                out[part] = encode(torch.from_numpy(batch)).cpu().numpy()
                bar.update(len(batch))

    key = f"{CACHE_VERSION}/{tokenizer_id}/{image_set.fingerprint}/{flip}"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"
    shape = (len(image_set) * (2 if flip else 1), num_tokens)
    return cached_array(path, shape=shape, dtype=np.dtype(np.uint16), fill=encode_into)
