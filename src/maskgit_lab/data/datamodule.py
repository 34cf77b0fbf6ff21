"""Tokens and pictures for stage 2: the frozen tokenizer sees each picture once, training reads tokens."""

import functools
import hashlib
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet, mirrored_pictures, paint_holes
from maskgit_lab.data.loader import ResumableLoader
from maskgit_lab.data.token_cache import TokenCache
from maskgit_lab.models.tokenizer import FrozenTokenizer

# streams of hole seeds: the bank for training and the holes of validation pictures never coincide
TRAIN_HOLES, VAL_HOLES, NUM_STREAMS = 1, 2, 10
# raise it when the drawing of holes changes
HOLES_VERSION = 2


class InpaintingDataModule(L.LightningDataModule):
    """Serve token batches for training and validation, and pictures with holes for scores.

    Args:
        splits: the pictures.
        tokenizer: frozen; tokens are cached by its sha256.
        cache: folder for tokens and hole banks.
        batch_size: pictures per training step on each device.
        val_batch_size: pictures per validation step.
        flip: add mirrored copies of the training pictures.
        with_images: batches also hold the pictures (needed for the context and for encoding masked pictures).
        hole_style: brush, box, centre or half: holes drawn for training and validation.
        hole_share: least and largest share of pixels in a drawn hole.
        num_train_holes: size of the bank.
        num_val_fills: validation pictures that get holes and are filled for the scores.
        seed: of the order of pictures and of the holes.
        token_cache: on, or off: encode every batch anew. The batches are the same; it is there to show that, and for disks that
            are full.
    """

    def __init__(
        self,
        *,
        splits: DataSplits,
        tokenizer: FrozenTokenizer,
        cache: Path,
        batch_size: int,
        val_batch_size: int = 64,
        flip: bool = False,
        with_images: bool = False,
        hole_style: str = "brush",
        hole_share: tuple[float, float] = (0.10, 0.30),
        num_train_holes: int = 2048,
        num_val_fills: int = 64,
        seed: int = 0,
        token_cache: str = "on",
    ) -> None:
        super().__init__()
        if token_cache not in ("on", "off"):
            raise ValueError(f"data.cache must be on or off, got {token_cache!r}")
        if batch_size > len(splits.train.images) * (2 if flip else 1):
            raise ValueError(
                f"data.batch_size ({batch_size}) exceeds the training set ({len(splits.train.images)} images)"
            )
        self.splits = splits
        self.tokenizer = tokenizer
        self.cache = cache
        self.batch_size = batch_size
        self.val_batch_size = val_batch_size
        self.flip = flip
        self.with_images = with_images
        self.hole_style = hole_style
        self.hole_share = hole_share
        self.num_train_holes = num_train_holes
        self.num_val_fills = min(num_val_fills, len(splits.val.images))
        self.seed = seed
        self.token_cache = token_cache
        self._tokens: dict[str, np.ndarray] = {}

    def train_holes(self) -> Tensor:
        """Return the bank of holes for training, (M, H, W) bool."""
        return torch.from_numpy(np.array(self._holes(TRAIN_HOLES, self.num_train_holes)))

    def val_fills(self) -> InpaintSet:
        """Return the validation pictures that are filled for the scores, always the same with the same holes."""
        truth = np.ascontiguousarray(self.splits.val.images[: self.num_val_fills])
        holes = np.array(self._holes(VAL_HOLES, self.num_val_fills))
        return InpaintSet(
            images=paint_holes(truth, holes),
            holes=holes,
            names=self.splits.val.names[: self.num_val_fills],
            truth=truth,
            fingerprint=f"{self.splits.val.fingerprint}-holes-{self.hole_style}-{self.num_val_fills}",
        )

    def _holes(self, stream: int, count: int) -> np.ndarray:
        resolution = self.splits.train.images.shape[1]
        seed = self.seed * NUM_STREAMS + stream
        key = f"{HOLES_VERSION}/{self.hole_style}/{seed}/{count}/{resolution}/{self.hole_share}"

        def draw(out: np.ndarray) -> None:
            out[:] = draw_holes(
                style=self.hole_style, seed=seed, indices=range(count), resolution=resolution, share=self.hole_share
            )

        return cached_array(
            self.cache / "holes" / f"{hashlib.sha256(key.encode()).hexdigest()}.npy",
            shape=(count, resolution, resolution),
            dtype=np.dtype(bool),
            fill=draw,
        )

    def setup(self, stage: str) -> None:
        """Encode the pictures, or find their tokens in the cache."""
        if self.token_cache == "off":
            return
        cache = TokenCache(
            folder=self.cache / "tokens", tokenizer_id=self.tokenizer.sha256, batch_size=self.val_batch_size
        )
        for split, images, flip in (("train", self.splits.train, self.flip), ("val", self.splits.val, False)):
            self._tokens[split] = cache.tokens(
                images, self.tokenizer.encode, num_tokens=self.tokenizer.num_image_tokens, flip=flip
            )

    def train_dataloader(self) -> ResumableLoader:
        """Return shuffled batches; a resumed run goes on at the next unseen one."""
        return self._loader("train", self.splits.train, batch_size=self.batch_size, shuffle=True, flip=self.flip)

    def val_dataloader(self) -> ResumableLoader:
        """Return the validation batches, always in the same order."""
        return self._loader("val", self.splits.val, batch_size=self.val_batch_size, shuffle=False, flip=False)

    def train_batch(self, indices: np.ndarray) -> dict[str, Tensor]:
        """Return training pictures by index; n + i is the mirrored copy of picture i of n."""
        return self._batch("train", self.splits.train, indices)

    def _batch(self, split: str, images: ImageSet, indices: np.ndarray) -> dict[str, Tensor]:
        if self.token_cache == "on":
            batch = {"tokens": torch.from_numpy(self._tokens[split][indices].astype(np.int64))}
        else:
            batch = {"tokens": self.tokenizer.encode(torch.from_numpy(mirrored_pictures(images.images, indices))).cpu()}
        if self.with_images:
            batch["images"] = torch.from_numpy(mirrored_pictures(images.images, indices))
        return batch

    def _loader(self, split: str, images: ImageSet, *, batch_size: int, shuffle: bool, flip: bool) -> ResumableLoader:
        return ResumableLoader(
            num_items=len(images) * (2 if flip else 1),
            batch_size=batch_size,
            collate=functools.partial(self._batch, split, images),
            seed=self.seed,
            shuffle=shuffle,
            drop_last=shuffle,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
        )
