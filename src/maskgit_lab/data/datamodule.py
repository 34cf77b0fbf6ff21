"""Tokens and images for stage 2: the frozen tokenizer sees each image once, training reads tokens."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import lightning as L
import numpy as np
import torch
from torch import Tensor

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.holes import DEFAULT_SHARE, draw_holes
from maskgit_lab.data.image_set import DataSplits, InpaintSet, mirrored_images
from maskgit_lab.data.loader import ResumableLoader
from maskgit_lab.data.token_cache import cached_tokens
from maskgit_lab.models.tokenizer import FrozenTokenizer

# streams of hole seeds: the bank for training and the holes of validation never coincide
TRAIN_HOLES, VAL_HOLES, NUM_STREAMS = 1, 2, 10
# raise it when the drawing of holes changes
HOLES_VERSION = 2


@dataclass(frozen=True)
class Serving:
    """How images reach training: batches, and the holes drawn for it."""

    batch_size: int  # images per training step on each device
    val_batch_size: int = 64  # images per validation step
    flip: bool = False  # add mirrored copies of the training images
    hole_style: str = "brush"  # brush, walk, box, centre or half: holes drawn for training and validation
    hole_share: Sequence[float] = DEFAULT_SHARE  # least and largest share of pixels in a drawn hole
    num_train_holes: int = 2048  # size of the bank
    num_val_fills: int = 64  # validation images that get holes and are filled for the scores
    cache: str = "on"  # of tokens; off: encode every batch again, which gives the same batches: to show that, and for full disks

    def __post_init__(self) -> None:
        if self.cache not in ("on", "off"):
            raise ValueError(f"data.cache must be on or off, got {self.cache!r}")
        for name in ("batch_size", "val_batch_size", "num_val_fills", "num_train_holes"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} must be at least 1, got {getattr(self, name)}")

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return what the group `data` of a configuration says of it, among other things."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})


class InpaintingDataModule(L.LightningDataModule):
    """Serve token batches for training and validation, and images with holes for scores.

    Args:
        splits: the images.
        tokenizer: frozen; tokens are cached by its sha256.
        cache: folder for tokens and hole banks.
        serving: batches and holes.
        with_images: batches also hold the images (needed for the context and for encoding masked images).
        seed: of the order of images and of the holes.
    """

    def __init__(
        self,
        *,
        splits: DataSplits,
        tokenizer: FrozenTokenizer,
        cache: Path,
        serving: Serving,
        with_images: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if serving.batch_size > len(splits.train.images) * (2 if serving.flip else 1):
            raise ValueError(f"data.batch_size ({serving.batch_size}) exceeds the training set ({len(splits.train.images)} images)")
        self.splits = splits
        self.tokenizer = tokenizer
        self.cache = cache
        self.serving = serving
        self.with_images = with_images
        self.num_val_fills = min(serving.num_val_fills, len(splits.val.images))
        self.seed = seed
        self._tokens: dict[str, np.ndarray] = {}

    @property
    def turn_holes(self) -> bool:
        """Whether a hole of the bank may be mirrored and turned: own masks lie where they are meant."""
        return self.splits.train_holes is None

    def train_holes(self) -> Tensor:
        """Return the bank of holes for training, (M, H, W) bool: own masks, or drawn."""
        if self.splits.train_holes is not None:
            return torch.from_numpy(self.splits.train_holes)
        return torch.from_numpy(np.array(self._holes(TRAIN_HOLES, self.serving.num_train_holes)))

    def val_fills(self) -> InpaintSet:
        """Return the validation images that are filled for the scores, always the same with the same holes."""
        val, count, own = self.splits.val, self.num_val_fills, self.splits.train_holes
        if own is None:
            style = self.serving.hole_style
            holes = np.array(self._holes(VAL_HOLES, count))
        else:
            style = hashlib.sha256(own.tobytes()).hexdigest()[:16]
            holes = own[_shuffled(len(own), count, seed=self.seed * NUM_STREAMS + VAL_HOLES)]
        fingerprint = f"{val.fingerprint}-holes-{style}-{count}"
        return InpaintSet.of(np.ascontiguousarray(val.images[:count]), holes, val.names[:count], fingerprint)

    def _holes(self, stream: int, count: int) -> np.ndarray:
        resolution = self.splits.train.images.shape[1]
        seed = self.seed * NUM_STREAMS + stream
        style, share = self.serving.hole_style, tuple(self.serving.hole_share)
        key = f"{HOLES_VERSION}/{style}/{seed}/{count}/{resolution}/{share}"

        def draw(out: np.ndarray) -> None:
            out[:] = draw_holes(style=style, seed=seed, indices=range(count), resolution=resolution, share=share)

        path = self.cache / "holes" / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"
        return cached_array(path, shape=(count, resolution, resolution), dtype=np.dtype(bool), fill=draw)

    def setup(self, stage: str) -> None:
        """Encode the images, or find their tokens in the cache."""
        if self.serving.cache == "off":
            return
        for split, images, flip in (("train", self.splits.train, self.serving.flip), ("val", self.splits.val, False)):
            self._tokens[split] = cached_tokens(
                images, self.tokenizer.encode, folder=self.cache / "tokens", tokenizer_id=self.tokenizer.sha256,
                num_tokens=self.tokenizer.num_image_tokens, flip=flip, batch_size=self.serving.val_batch_size,
            )  # fmt: skip

    def train_dataloader(self) -> ResumableLoader:
        """Return shuffled batches; a resumed run goes on at the next unseen one, overfitting sees the same ones again."""
        again = bool(self.trainer and self.trainer.overfit_batches)  # type: ignore[attr-defined]
        items = len(self.splits.train) * (2 if self.serving.flip else 1)
        return self._loader("train", items, self.serving.batch_size, shuffle=not again, drop_last=True)

    def val_dataloader(self) -> ResumableLoader:
        """Return the validation batches, always in the same order."""
        return self._loader("val", len(self.splits.val), self.serving.val_batch_size, shuffle=False, drop_last=False)

    def batch(self, split: str, indices: np.ndarray) -> dict[str, Tensor]:
        """Return images of train or val by index; n + i is the mirrored copy of image i of n."""
        return self._batch(split, getattr(self.splits, split).images, indices)

    def _batch(self, split: str, images: np.ndarray, indices: np.ndarray) -> dict[str, Tensor]:
        if self.serving.cache == "on":
            batch = {"tokens": torch.from_numpy(self._tokens[split][indices].astype(np.int64))}
        else:
            batch = {"tokens": self.tokenizer.encode(torch.from_numpy(mirrored_images(images, indices))).cpu()}
        if self.with_images:
            batch["images"] = torch.from_numpy(mirrored_images(images, indices))
        return batch

    def _loader(self, split: str, num_items: int, batch_size: int, *, shuffle: bool, drop_last: bool) -> ResumableLoader:
        images = getattr(self.splits, split).images
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return ResumableLoader(
            num_items=num_items, batch_size=batch_size, collate=functools.partial(self._batch, split, images), seed=self.seed,
            shuffle=shuffle, drop_last=drop_last, rank=rank, world_size=world_size,
        )  # fmt: skip


def _shuffled(num_masks: int, count: int, *, seed: int) -> np.ndarray:
    """Return `count` numbers of masks in a random order; each is taken once before one is taken twice."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 0]))
    return np.concatenate([rng.permutation(num_masks) for _ in range(-(-count // num_masks))])[:count]
