"""The frozen tokenizer's tokens of a set of images, computed once: training reads tokens, never pixels through the encoder."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.image_set import ImageSet, mirrored_images

CACHE_VERSION = 1
MIN_FOR_BAR = 1000  # images; below it encoding is over before a bar can be read


class TokenCache:
    """Memory-mapped tokens, one file per tokenizer, set of images and mirroring.

    Args:
        folder: where the files are.
        tokenizer_id: changes with the tokenizer's weights (its sha256).
        batch_size: images encoded at once.
    """

    def __init__(self, *, folder: Path, tokenizer_id: str, batch_size: int) -> None:
        self.folder = folder
        self.tokenizer_id = tokenizer_id
        self.batch_size = batch_size

    def tokens(self, image_set: ImageSet, encode: Callable[[Tensor], Tensor], *, num_tokens: int, flip: bool) -> np.ndarray:
        """Return the tokens, computing them first when no file fits; an interrupted computation leaves no file.

        Args:
            image_set: the images.
            encode: uint8 (B, H, W, 3) -> int64 (B, N).
            num_tokens: N.
            flip: append the tokens of the mirrored images.

        Returns:
            (n or 2 n, N) uint16, originals first.
        """
        key = f"{CACHE_VERSION}/{self.tokenizer_id}/{image_set.fingerprint}/{flip}"
        copies = 2 if flip else 1
        return cached_array(
            self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npy",
            shape=(copies * len(image_set), num_tokens),
            dtype=np.dtype(np.uint16),
            fill=lambda out: self._encode_into(out, image_set.images, encode),
        )

    def _encode_into(self, out: np.ndarray, images: np.ndarray, encode: Callable[[Tensor], Tensor]) -> None:
        with tqdm(total=len(out), desc="Encoding tokens", unit="img", disable=len(out) < MIN_FOR_BAR) as bar:
            for start in range(0, len(out), self.batch_size):
                indices = np.arange(start, min(start + self.batch_size, len(out)))
                batch = torch.from_numpy(mirrored_images(images, indices))
                out[indices] = encode(batch).cpu().numpy()
                bar.update(len(indices))
