"""Any folder of images of any size, resized and cropped, with holes from mask files or drawn."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskgit_lab.data.cat_faces import SPLITS, without_test_images
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.hole_warnings import LARGEST_SHARE
from maskgit_lab.data.holes import DEFAULT_SHARE, draw_holes
from maskgit_lab.data.image_files import load_image_set
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.image_opening import MAX_PIXELS, ReadOptions
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet
from maskgit_lab.data.mask_files import load_masks
from maskgit_lab.data.mask_pairing import find_masks, images_among

TEST_SHARE_OF_VAL = 0.5  # without a test folder, this part of the held-out images is the test set


@dataclass(eq=False, kw_only=True)
class ImageFolder:
    """Read a folder of images; paths may be strings."""

    root: Path  # images for training and validation, and for the test where test_root is None
    test_root: Path | None = None  # images for the test; they are taken as the truth
    masks: Path | None = None  # masks of the test images, paired by name; None = drawn
    mask_hole: str = "white"  # what marks the hole in mask files: white, black, alpha, or a colour like #ff0000
    mask_suffix: str | None = None  # between an image's name and the ending of its mask's; None = what usually is
    max_hole_share: float = LARGEST_SHARE  # most masks with more hole pixels are refused as inverted
    hole_style: str = "brush"  # brush, walk, box, centre or half, for drawn holes
    hole_share: Sequence[float] = DEFAULT_SHARE  # least and largest share of pixels in a drawn hole
    resolution: int = 64  # pixels per side after resizing and cropping
    val_share: float = 0.1  # share of root that is held out, chosen by a hash of the name: new files do not move old ones
    seed: int = 0  # of the drawn holes
    split: str = "clean"  # drop from train and val every image whose pixels equal a test image; "lab" = keep all
    max_pixels: int = MAX_PIXELS  # images with more are refused
    skip_bad: bool = False  # go on without files that cannot be used

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"data.split must be lab or clean, got {self.split!r}")
        if not 0 < self.val_share < 1:
            raise ValueError(f"data.source.val_share must be between 0 and 1, got {self.val_share}")
        check_hole_mark(self.mask_hole, key="data.mask_hole")
        self.options = ReadOptions(max_pixels=self.max_pixels, skip_bad=self.skip_bad, keys="data.")
        self.root = Path(self.root).expanduser()
        self.test_root, self.masks = (None if path is None else Path(path).expanduser() for path in (self.test_root, self.masks))
        self.hole_share = tuple(self.hole_share)

    def load(self, *, cache: Path) -> DataSplits:
        """Read everything; problems are reported before training starts.

        Args:
            cache: folder for decoded images.

        Returns:
            Train, val and test.

        Raises:
            FileNotFoundError: when a folder is missing or empty.
            ValueError: when files are unreadable or do not pair up, or there are too few images for three splits.
        """
        paths = images_among(list_images(self.root, key="data.root"), masks=None, key="data.root")
        places = np.array([_place(path.name) for path in paths])
        cut = self.val_share * (1 if self.test_root else 1 - TEST_SHARE_OF_VAL)
        parts = {"train": places >= self.val_share, "val": places < cut, "test": (places >= cut) & (places < self.val_share)}
        chosen = {name: [p for p, yes in zip(paths, part, strict=True) if yes] for name, part in parts.items()}
        if self.test_root:
            found = list_images(self.test_root, key="data.test_root")
            chosen["test"] = images_among(found, masks=self.masks, key="data.test_root", suffix=self.mask_suffix)
        for name, files in chosen.items():
            if not files:
                raise ValueError(
                    f"data.root: {len(paths)} images in {self.root} leave none for {name}; "
                    "add images or raise data.source.val_share"
                )
        test = self._test(chosen["test"], cache)
        train, val = (self._images(chosen[name], cache) for name in ("train", "val"))
        if self.split == "clean":
            train, val = (without_test_images(images, test) for images in (train, val))
        sizes = f"{len(train):,} / {len(val):,} / {len(test):,}"
        return DataSplits(train, val, test, f"{self.root.name}, split {self.split}: {sizes} (train / val / test)")

    def _images(self, paths: list[Path], cache: Path) -> ImageSet:
        return load_image_set(paths, resolution=self.resolution, cache=cache, options=self.options)

    def _test(self, paths: list[Path], cache: Path) -> InpaintSet:
        mask_of = {}
        if self.masks:
            mask_of = dict(zip(paths, find_masks(paths, self.masks, key="data.masks", suffix=self.mask_suffix), strict=True))
        found = self._images(paths, cache)
        paths = [path for path in paths if path.name in set(found.names)]
        if self.masks:
            masks = [mask_of[path] for path in paths]
            holes = load_masks(
                masks, resolution=self.resolution, hole=self.mask_hole, images=paths, options=self.options,
                max_share=self.max_hole_share, prefix="data.",
            )  # fmt: skip
        else:
            holes = draw_holes(
                style=self.hole_style, seed=self.seed, indices=range(len(paths)), resolution=self.resolution, share=self.hole_share
            )
        return InpaintSet.of(found.images, holes, found.names, found.fingerprint)


def _place(name: str) -> float:
    """Return a number in [0, 1) that depends only on the name."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64
