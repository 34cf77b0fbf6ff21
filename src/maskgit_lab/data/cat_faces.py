"""The lab's data folder: cat faces of 64x64 pixels, JPEG bytes under .png names."""

from pathlib import Path

import numpy as np

from maskgit_lab.data.duplicates import found_in, found_outside_holes
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.hole_warnings import LARGEST_SHARE
from maskgit_lab.data.image_files import files_fingerprint, load_image_set, load_images
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet
from maskgit_lab.data.mask_files import load_masks
from maskgit_lab.data.mask_pairing import pair_masks

LAYOUT = "train/ val/ masked_image/ mask64/ and, for scores, test_gt/"
SPLITS = ("lab", "clean")


class CatFaces:
    """Read the lab's folder.

    Args:
        root: folder that holds train, val, masked_image, mask64 and, where the truth is known, test_gt.
        split: "lab" = as distributed, where most test images are in train or val too; "clean" = train and val without every
            image whose pixels equal a test image (its truth, or its known pixels where the truth is not there).
        resolution: pixels per side; files of another size are refused.
        mask_hole: what marks the hole in mask64: white, black, alpha, or a colour like #ff0000; the lab's own files say black.
        max_hole_share: most masks with more hole pixels are refused as inverted.
    """

    def __init__(
        self,
        *,
        root: str,
        split: str = "clean",
        resolution: int = 64,
        mask_hole: str = "black",
        max_hole_share: float = LARGEST_SHARE,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"data.split must be lab or clean, got {split!r}")
        self.root = Path(root).expanduser()
        self.split = split
        self.resolution = resolution
        check_hole_mark(mask_hole, key="data.mask_hole")
        self.mask_hole, self.max_hole_share = mask_hole, max_hole_share

    def load(self, *, cache: Path) -> DataSplits:
        """Read everything; problems are reported before training starts.

        Args:
            cache: folder for decoded images.

        Returns:
            Train, val and test.

        Raises:
            FileNotFoundError: when a folder is missing; the message shows the layout.
            ValueError: when files are unreadable, of another size, or do not pair up.
        """
        for name in ("train", "val", "masked_image", "mask64"):
            if not (self.root / name).is_dir():
                raise FileNotFoundError(f"data.root: {self.root} has no folder {name}/; expected {LAYOUT}")
        test = self._test(cache)
        folders = (list_images(self.root / name, key="data.root") for name in ("train", "val"))
        train, val = (load_image_set(paths, resolution=self.resolution, exact=True, cache=cache) for paths in folders)
        before = len(train) + len(val)
        if self.split == "clean":
            train, val = (without_test_images(images, test) for images in (train, val))
        dropped = before - len(train) - len(val)
        note = f" ({dropped:,} images equal to test images dropped)" if dropped else ""
        sizes = f"{len(train):,} / {len(val):,} / {len(test):,}"
        return DataSplits(train, val, test, f"cat_faces, split {self.split}: {sizes} (train / val / test){note}")

    def _test(self, cache: Path) -> InpaintSet:
        paths = list_images(self.root / "masked_image", key="data.root")
        mask_paths = pair_masks(paths, list_images(self.root / "mask64", key="data.root"))
        truth = None
        if (self.root / "test_gt").is_dir():
            truth_paths = pair_masks(paths, list_images(self.root / "test_gt", key="data.root"), what="truth")
            truth = load_images(truth_paths, resolution=self.resolution, exact=True, cache=cache)
        images = load_images(paths, resolution=self.resolution, exact=True, cache=cache)
        holes = load_masks(
            mask_paths, resolution=self.resolution, hole=self.mask_hole, exact=True, max_share=self.max_hole_share, prefix="data."
        )
        fingerprint = files_fingerprint([*paths, *mask_paths], self.resolution)
        return InpaintSet(images, holes, tuple(p.name for p in paths), truth, fingerprint)


def without_test_images(images: ImageSet, test: InpaintSet) -> ImageSet:
    """Return the images that equal no test image."""
    if test.truth is not None:
        leaked = found_in(images.images, test.truth)
    else:
        leaked = found_outside_holes(images.images, test.images, test.holes)
    keep = np.nonzero(~leaked)[0]
    fingerprint = f"{images.fingerprint}-without-{test.fingerprint[:16]}-{len(keep)}"
    return ImageSet(np.asarray(images.images)[keep], tuple(images.names[i] for i in keep), fingerprint)
