"""Random images of every kind, mode and size with random holes, and a filler in place of the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab import inpainter as module
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.repair.network import FilledSquares

LARGEST = (3000, 2000)
POOL = np.random.default_rng(0).integers(0, 256, 4 * LARGEST[0] * LARGEST[1] + 4096, np.uint8)  # drawing each image anew is slow
PILLOW = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F")
ARRAYS = ("grey", "rgb", "rgba", "uint16", "float32")


class Squares:
    """Fill squares with the negative of what is known in them: it depends on every known pixel and on nothing else.

    Args:
        numbered: add the image's number and the sample, as noise would.
    """

    def __init__(self, numbered: bool = True) -> None:
        self.numbered = numbered
        self.seen = 0

    def __call__(
        self, images: np.ndarray, holes: np.ndarray, numbers: Sequence[int], *, first_sample: int, num_samples: int, watch: Any
    ) -> list[FilledSquares]:
        assert images.dtype == np.uint8
        assert images.shape == (*holes.shape, 3)
        assert len(numbers) == len(images)
        self.seen += len(images)
        grey = np.where(holes[..., None], np.uint8(128), images)
        mean = grey.mean((1, 2), dtype=np.float64).astype(np.uint8)[:, None, None]
        batch, side = holes.shape[:2]
        made = []
        for sample in range(first_sample, first_sample + num_samples):
            noise = np.array(numbers) % 2**40 + 7 * sample if self.numbered else np.zeros(batch, int)
            decoded = 255 - (grey // 2 + mean // 2) + noise.astype(np.uint8)[:, None, None, None]
            nothing = np.empty((0, batch, side, side, 3), np.uint8), np.empty((0, batch, 8, 8), bool)
            made.append(FilledSquares(decoded, np.ones((batch, 8, 8), np.float32), *nothing))
        return made


def stubbed(monkeypatch: pytest.MonkeyPatch, squares: Any, *, resolution: int = 64, blend: int = 0) -> Inpainter:
    """Return an inpainter whose network is `squares`."""
    monkeypatch.setattr(module, "_Squares", lambda *_: squares)
    filler: Any = SimpleNamespace(
        tokenizer=SimpleNamespace(resolution=resolution), settings=SimpleNamespace(mask_blend_pixels=blend)
    )
    return Inpainter(filler)


@dataclass(frozen=True)
class Case:
    """An image as it is given, and its hole."""

    image: Any
    hole: np.ndarray  # (H, W) bool

    @property
    def values(self) -> np.ndarray:
        return values_of(self.image)


def values_of(image: Any) -> np.ndarray:
    """Return the stored values of an image of any kind."""
    return image.numpy() if isinstance(image, torch.Tensor) else np.asarray(image)


def random_case(seed: int) -> Case:
    """Return an image of random kind, mode and size, mostly small, with a random hole."""
    rng = np.random.default_rng(seed)
    scale = rng.beta(2, 3)  # of the logarithm: half of the images have less than 30 pixels per side
    width, height = (round(length ** float(np.clip(scale + rng.uniform(-0.15, 0.15), 0, 1))) for length in LARGEST)
    if width * height > 200**2 and rng.random() < 0.8:  # large ones cost most of the time and show no more
        width, height = -(-width // 4), -(-height // 4)
    if rng.random() < 0.03:
        width, height = LARGEST[rng.integers(2)], int(rng.integers(1, 30))
    if rng.random() < 0.05:
        width = height = 64
    image = random_image(rng, width, height)
    hole = random_hole(rng, width, height)
    return Case(image, hole)


def random_image(rng: np.random.Generator, width: int, height: int) -> Any:
    """Return noise in a mode of Pillow, or an array or a tensor."""
    start = int(rng.integers(4096))

    def noise(channels: int) -> np.ndarray:
        return POOL[start : start + width * height * channels].reshape(height, width, channels)

    kind = rng.choice([*PILLOW, *ARRAYS])
    if kind in ARRAYS:
        array = {
            "grey": lambda: noise(1)[..., 0], "rgb": lambda: noise(3), "rgba": lambda: noise(4),
            "uint16": lambda: noise(2)[..., 0] * np.uint16(256) + noise(2)[..., 1],
            "float32": lambda: (noise(3) / np.float32(255)),
        }[kind]()  # fmt: skip
        array = array.copy()
        return torch.from_numpy(array) if array.dtype != np.uint16 and rng.random() < 0.3 else array
    if kind in ("LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "L"):
        channels = {"LA": 2, "RGBA": 4, "CMYK": 4, "L": 1}.get(kind, 3)
        return Image.frombytes(kind, (width, height), noise(channels).tobytes())
    if kind == "1":
        return Image.fromarray(noise(1)[..., 0] > 128)
    if kind == "P":
        image = Image.frombytes("P", (width, height), (noise(1) % 40).tobytes())
        image.putpalette(POOL[:120].tolist())
        return image
    if kind == "I;16":
        return Image.frombytes(kind, (width, height), noise(2).tobytes())
    return Image.fromarray(noise(4).copy().view(np.int32)[..., 0] if kind == "I" else noise(1)[..., 0].astype(np.float32) / 7)


def random_hole(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Return a hole (height, width): nothing, everything, boxes, a scratch, dust, or all but a part."""
    hole = np.zeros((height, width), bool)
    kind = rng.choice(["none", "all", "box", "boxes", "scratch", "dust", "margin"], p=[0.05, 0.05, 0.3, 0.2, 0.2, 0.1, 0.1])
    if kind == "all":
        hole[:] = True
    for _ in range({"box": 1, "margin": 1, "boxes": int(rng.integers(2, 6))}.get(kind, 0)):
        (left, right), (top, bottom) = (np.sort(rng.integers(0, length + 1, 2)) for length in (width, height))
        hole[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    if kind == "scratch":
        places = np.linspace(0, 1, 2 * max(width, height))
        (x0, x1), (y0, y1) = rng.integers(0, width, 2), rng.integers(0, height, 2)
        thick = int(rng.integers(1, 6))
        for shift in range(thick):
            rows = (y0 + places * (y1 - y0)).astype(int)
            columns = np.minimum((x0 + places * (x1 - x0)).astype(int) + shift, width - 1)
            hole[rows, columns] = True
    if kind == "dust":
        count = int(rng.integers(1, 30))
        hole[rng.integers(0, height, count), rng.integers(0, width, count)] = True
    return ~hole if kind == "margin" else hole
