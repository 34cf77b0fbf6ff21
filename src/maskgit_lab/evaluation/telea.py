"""Telea's fill (2004) by OpenCV, a classical baseline beside the diffusion fill, where OpenCV is installed."""

from types import ModuleType

import numpy as np

from maskgit_lab.data.image_set import paint_holes

RADIUS = 3  # pixels that a new one is computed from


def require_opencv() -> ModuleType:
    """Return OpenCV; raise ModuleNotFoundError, which says what to install, where there is none."""
    try:
        import cv2
    except ImportError as error:
        raise ModuleNotFoundError(
            f"telea=true needs OpenCV ({error}): pip install opencv-python-headless, or leave telea=false"
        ) from error
    module: ModuleType = cv2
    return module


def telea_fill(images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Fill holes along their distance from the rim, each pixel from the known ones within `RADIUS`.

    Args:
        images: (n, H, W, 3) uint8; pixels under the holes have no influence.
        holes: (n, H, W) bool.

    Returns:
        (n, H, W, 3) uint8, known pixels untouched.

    Raises:
        ModuleNotFoundError: when OpenCV is not installed.
    """
    opencv = require_opencv()
    filled = paint_holes(images, holes)  # OpenCV's gradients read under the rim: the truth must not be there
    for image, hole in zip(filled, holes, strict=True):
        surface = opencv.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), RADIUS, opencv.INPAINT_TELEA)
        image[hole] = surface[hole]
    return filled
