"""Procedural cat faces: the embedded data set, a pure function of (seed, index), so that nothing has to be downloaded.

Every parameter is continuous (pose, shape, coat, eyes, light, background), so no two are alike.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.cat_painter import Face, Field, Image, blend, smooth_noise
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits, ImageSet, InpaintSet, slices

# raise it when a change alters pixels: caches and tokenizers of older images are then not found again
PAINTER_VERSION = 2
NUM_DRAWS = 96
CHUNK = 16  # images painted at once: few enough that their fields stay in the processor's cache
MIN_FOR_BAR = 1500  # about two seconds of painting on one core
SPLITS = {"train": 0, "val": 1, "test": 2}  # streams: index i of one split is never index j of another
TEST_HOLES_SEED = 7919

# base, markings, light parts; RGB in 0..255
COATS = np.array(
    [
        [(222, 142, 70), (170, 88, 36), (250, 226, 190)],  # ginger
        [(138, 138, 142), (84, 84, 92), (214, 214, 216)],  # grey
        [(58, 54, 56), (30, 28, 32), (112, 104, 102)],  # black
        [(240, 236, 228), (206, 196, 184), (255, 253, 248)],  # white
        [(226, 200, 160), (176, 138, 96), (250, 238, 216)],  # cream
        [(128, 96, 70), (70, 48, 36), (206, 178, 146)],  # brown
        [(232, 218, 198), (98, 72, 60), (248, 240, 228)],  # siamese
        [(176, 112, 64), (48, 40, 38), (242, 230, 212)],  # tortoiseshell
    ],
    dtype=np.float32,
) / np.float32(255)  # fmt: skip
EYES = np.array(
    [(120, 178, 60), (214, 176, 44), (206, 122, 30), (92, 160, 210), (84, 190, 160)], dtype=np.float32
) / np.float32(255)  # fmt: skip
PINK = np.array([(230, 150, 150)], dtype=np.float32) / np.float32(255)


def render_cats(seed: int, indices: Sequence[int], resolution: int = 64) -> np.ndarray:
    """Paint cats.

    Args:
        seed: of the whole set, at least 0.
        indices: which cats, each at least 0; a cat depends only on its own number, not on the batch.
        resolution: pixels per side.

    Returns:
        (n, resolution, resolution, 3) uint8.
    """
    images = np.empty((len(indices), resolution, resolution, 3), dtype=np.uint8)
    for part in slices(len(indices), CHUNK):
        draws = np.stack([_draws(seed, index) for index in indices[part]])
        images[part] = np.round(np.clip(_paint(draws, resolution), 0, 1) * 255).transpose(0, 2, 3, 1)
    return images


def _draws(seed: int, index: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, index])).random(NUM_DRAWS, dtype=np.float32)


class _Dice:
    """Hand out each cat's uniform draws under a fixed order."""

    def __init__(self, draws: np.ndarray) -> None:
        self.draws = draws
        self.used = 0

    def uniform(self, low: float, high: float) -> np.ndarray:
        """Return (n, 1, 1) in [low, high)."""
        self.used += 1
        return (low + (high - low) * self.draws[:, self.used - 1])[:, None, None]

    def rows(self, *shape: int) -> np.ndarray:
        """Return (n, *shape) in [0, 1)."""
        size = int(np.prod(shape))
        self.used += size
        return self.draws[:, self.used - size : self.used].reshape(-1, *shape)


def _paint(draws: np.ndarray, resolution: int) -> Image:
    dice = _Dice(draws)
    axis = (np.arange(resolution, dtype=np.float32) + 0.5) / resolution * 2 - 1
    x, y = (np.broadcast_to(a, (len(draws), resolution, resolution)) for a in np.meshgrid(axis, axis))
    image = _background(dice, x, y)
    face = _pose(dice, x, y, resolution)
    coat = COATS[(dice.rows(1)[:, 0] * len(COATS)).astype(int)]
    coat = np.clip(coat * (0.88 + 0.24 * dice.rows(1, 1)) + 0.05 * (dice.rows(1, 3) - 0.5), 0, 1)
    fur = _fur(dice, face, coat)
    light = _light(dice, face)
    blend(image, fur * (light * 0.8)[:, None], face.edge(face.ellipse(0.0, 1.12, 0.66, 0.52), blur=2))
    _ears(dice, face, image, fur * light[:, None], coat)
    head = _head(dice, face)
    blend(image, fur * light[:, None], face.edge(head, blur=1.6))
    _eyes(dice, face, image)
    _muzzle(dice, face, image, coat, light)
    return image


def _background(dice: _Dice, x: Field, y: Field) -> Image:
    colours = 0.15 + 0.75 * dice.rows(4, 3)
    colours = colours + 0.35 * (colours.mean(-1, keepdims=True) - colours)  # less saturated than chance
    angle = dice.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + 0.5 * (np.cos(angle) * x + np.sin(angle) * y), 0, 1)
    image = np.ascontiguousarray(np.broadcast_to(colours[:, 0, :, None, None], (len(x), 3, *x.shape[1:])))
    blend(image, colours[:, 1], ramp)
    for blob in (2, 3):
        cx, cy, radius = dice.uniform(-1, 1), dice.uniform(-1, 1), dice.uniform(0.2, 0.6)
        blend(image, colours[:, blob], np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2) * 0.8)
    return image


def _pose(dice: _Dice, x: Field, y: Field, resolution: int) -> Face:
    roll, scale = dice.uniform(-0.22, 0.22), dice.uniform(0.92, 1.16)
    shift_x, shift_y, yaw = dice.uniform(-0.10, 0.10), dice.uniform(0.02, 0.20), dice.uniform(-0.12, 0.12)
    dx, dy = (x - shift_x) / scale, (y - shift_y) / scale
    u, v = np.cos(roll) * dx + np.sin(roll) * dy, np.cos(roll) * dy - np.sin(roll) * dx
    return Face(u=u - yaw * (1 - u * u), v=v, softness=1 / (resolution * scale))


def _fur(dice: _Dice, face: Face, coat: np.ndarray) -> Image:
    """Mix the coat: base, one of the patterns in a random strength, light parts, and a fine texture along the fur."""
    u, v = face.u, face.v
    kind, strength = dice.uniform(0, 1), dice.uniform(0.55, 1.0)
    fur = np.ascontiguousarray(np.broadcast_to(coat[:, 0, :, None, None], (len(u), 3, *u.shape[1:])))
    wobble = 0.05 * smooth_noise(u, v, dice.rows(3, 3), 1.2)
    stripes = dice.uniform(13, 19)
    forehead = np.clip(np.sin(stripes * (u + wobble) * (1.1 + 0.5 * v)) * 1.6 - 0.2, 0, 1) * _ramp(-v, 0.12, 0.32)
    cheeks = np.clip(np.sin(stripes * (v + 0.35 * np.abs(u) + wobble)) * 1.6 - 0.3, 0, 1) * _ramp(np.abs(u), 0.40, 0.58)
    tabby = np.clip(forehead + cheeks, 0, 1)
    patches = _ramp(smooth_noise(u, v, dice.rows(4, 3), 0.55), 0.05, 0.30)
    radius = np.hypot(u, v - 0.2)
    points = np.maximum(1 - _ramp(radius, 0.25, 0.55), _ramp(-v, 0.38, 0.58))  # mask and ears
    marks = np.where(kind < 0.45, tabby, np.where(kind < 0.70, patches, np.where(kind < 0.82, points, 0)))
    blend(fur, coat[:, 1], marks * strength)
    bib, blaze = dice.uniform(0, 1), dice.uniform(0.04, 0.26)
    white = (1 - _ramp(face.ellipse(0, 0.52, 0.42, 0.36), -0.04, 0.10)) * _ramp(bib, 0.35, 0.45)
    stripe = (1 - _ramp(np.abs(u) - blaze * (0.4 + np.clip(v + 0.4, 0, 1)), -0.02, 0.05)) * _ramp(bib, 0.72, 0.76)
    blend(fur, coat[:, 2], np.clip(white + stripe, 0, 1))
    angle = np.arctan2(v - 0.2, u)
    hair = smooth_noise(angle * 3.2, radius * 0.9, dice.rows(4, 3), 1.5)
    return fur * (1 + 0.035 * hair[:, None])


def _ramp(value: Field, low: float, high: float) -> Field:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _light(dice: _Dice, face: Face) -> Field:
    """Return a factor per pixel: a round head under a lamp from above, left or right."""
    angle, strength = dice.uniform(-2.6, -0.5), dice.uniform(0.05, 0.20)
    slope = np.cos(angle) * face.u + np.sin(angle) * face.v
    return 1.02 + strength * slope - 0.22 * np.clip(face.u**2 + (face.v - 0.1) ** 2, 0, 1)


def _head(dice: _Dice, face: Face) -> Field:
    width, height, cheek = dice.uniform(0.70, 0.80), dice.uniform(0.60, 0.68), dice.uniform(0.0, 0.08)
    skull = face.ellipse(0.0, 0.10, width, height)
    cheeks = face.ellipse(0.0, 0.32, width + cheek, height * 0.66)
    return np.minimum(skull, cheeks)


def _ears(dice: _Dice, face: Face, image: Image, fur: Image, coat: np.ndarray) -> None:
    spread, tip, tilt = dice.uniform(0.50, 0.66), dice.uniform(-0.98, -0.78), dice.uniform(-0.05, 0.05)
    inner = PINK * 0.75 + coat[:, 0] * 0.25
    for side in (-1, 1):
        corner = (side * spread + tilt, tip)
        outer, inside = (side * 0.74, -0.02), (side * 0.12, -0.42)
        blend(image, fur * 0.92, face.edge(face.triangle([outer, corner, inside], 0.035)))
        small = [(0.62 * px + 0.38 * side * 0.50, 0.62 * py + 0.38 * -0.42) for px, py in (outer, corner, inside)]
        blend(image, inner, 0.9 * face.edge(face.triangle(small, 0.035), blur=2))


def _eyes(dice: _Dice, face: Face, image: Image) -> None:
    pick = dice.rows(2, 1)
    iris = EYES[(pick[:, 0, 0] * len(EYES)).astype(int)] * (0.85 + 0.3 * pick[:, 1])
    gap, height = dice.uniform(0.30, 0.36), dice.uniform(-0.02, 0.06)
    width, opening, pupil = dice.uniform(0.165, 0.20), dice.uniform(0.115, 0.165), dice.uniform(0.035, 0.115)
    look = dice.uniform(-0.03, 0.03)
    dark = np.full((len(image), 3), 0.09, dtype=np.float32)
    for side in (-1, 1):
        cx = side * gap
        slanted = Face(face.u, face.v + side * 0.22 * (face.u - cx), face.softness)
        blend(image, dark, slanted.edge(slanted.ellipse(cx, height, width + 0.035, opening + 0.035)))
        lid = slanted.edge(slanted.ellipse(cx, height, width, opening))
        blend(image, iris, lid)
        blend(image, iris * 0.55, lid * _ramp(height - slanted.v, 0.02, 0.16) * 0.7)
        blend(image, dark * 0.6, lid * slanted.edge(slanted.ellipse(cx + look, height, pupil, opening * 0.92)))
        shine = face.ellipse(cx + look - 0.045, height - 0.05, 0.042, 0.042)
        blend(image, np.ones_like(iris), lid * face.edge(shine))


def _muzzle(dice: _Dice, face: Face, image: Image, coat: np.ndarray, light: Field) -> None:
    drop, size = dice.uniform(0.0, 0.05), dice.uniform(0.92, 1.12)
    pale = (0.45 * coat[:, 0] + 0.55 * coat[:, 2])[:, :, None, None] * light[:, None]
    for side in (-1, 1):
        blend(image, pale, 0.85 * face.edge(face.ellipse(side * 0.13, 0.47 + drop, 0.19 * size, 0.14 * size), blur=4))
    tone = dice.rows(1)
    nose = PINK * (0.95 * tone + 0.28 * (1 - tone))
    line = nose * 0.45
    for side in (-1, 1):
        centre_u, centre_v = side * 0.085 * size, 0.42 + drop
        ring = np.abs(face.ellipse(centre_u, centre_v, 0.085 * size, 0.10 * size)) - 0.008
        below = _ramp(face.v - centre_v, 0.0, 0.04)
        blend(image, line, 0.8 * below * face.edge(ring, blur=1.2))
        for whisker in range(3):
            rise = (whisker - 1) * 0.10
            distance = face.segment(side * 0.20, 0.44 + drop + rise * 0.4, side * 0.86, 0.36 + drop + rise * 2.2) - 0.004
            blend(image, np.full_like(line, 0.96), 0.5 * face.edge(distance))
    left, right, bottom = (-0.095 * size, 0.29 + drop), (0.095 * size, 0.29 + drop), (0.0 * size, 0.40 + drop)
    blend(image, nose, face.edge(face.triangle([left, right, bottom], 0.015)))


@dataclass(eq=False, kw_only=True)
class SyntheticCats:
    """The embedded data set.

    Raises:
        ValueError: a negative seed or an empty split; the message names the config key.
    """

    num_train: int  # images, at least 1, as of the other splits
    num_val: int
    num_test: int
    seed: int = 0  # of the whole set, at least 0; another seed gives other cats
    resolution: int = 64  # pixels per side

    def __post_init__(self) -> None:
        self.counts = {"train": self.num_train, "val": self.num_val, "test": self.num_test}
        for split, count in self.counts.items():
            if count < 1:
                raise ValueError(f"data.source.num_{split} must be at least 1, got {count}")
        if self.seed < 0:
            raise ValueError(f"data.source.seed must be at least 0, got {self.seed}")

    def load(self, *, cache: Path) -> DataSplits:
        """Paint the images, or find them in the cache.

        Args:
            cache: folder for derived files; the arrays go to images/.

        Returns:
            Train, val and test, with holes drawn for the test.
        """
        sets = {split: self._split(split, cache) for split in SPLITS}
        truth = sets["test"].images
        holes = draw_holes(style="brush", seed=self.seed + TEST_HOLES_SEED, indices=range(len(truth)), resolution=self.resolution)
        fingerprint = hashlib.sha256(sets["test"].fingerprint.encode() + holes.tobytes()).hexdigest()
        test = InpaintSet.of(truth, holes, sets["test"].names, fingerprint)
        sizes = " / ".join(f"{count:,}" for count in self.counts.values())
        return DataSplits(sets["train"], sets["val"], test, f"synthetic cats, seed {self.seed}: {sizes} (train / val / test)")

    def _split(self, split: str, cache: Path) -> ImageSet:
        count = self.counts[split]
        key = f"synthetic_cats/{PAINTER_VERSION}/{self.seed}/{split}/{count}/{self.resolution}"
        fingerprint = hashlib.sha256(key.encode()).hexdigest()
        path, shape = cache / "images" / f"{fingerprint}.npy", (count, self.resolution, self.resolution, 3)
        images = cached_array(path, shape=shape, dtype=np.dtype(np.uint8), fill=lambda out: self._render_into(out, split))
        names = tuple(f"{split}_{i:06d}.png" for i in range(count))
        return ImageSet(images=images, names=names, fingerprint=fingerprint)

    def _render_into(self, out: np.ndarray, split: str) -> None:
        stream = self.seed * len(SPLITS) + SPLITS[split]

        def paint(part: slice) -> int:
            out[part] = render_cats(stream, range(part.start, part.stop), self.resolution)
            return part.stop - part.start

        # threads: numpy releases the interpreter's lock in the array operations that paint
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            tqdm(total=len(out), desc=f"Painting {split} cats", unit="cat", disable=len(out) < MIN_FOR_BAR) as bar,
        ):
            for count in pool.map(paint, slices(len(out), CHUNK)):
                bar.update(count)
