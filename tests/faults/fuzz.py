"""Broken images, masks, checkpoints and configurations by the thousand: a result, or a refusal that names the file.

No other error, no warning, no hang, no gigabytes. Images are decoded, checkpoints and configurations opened as `Inpainter.from_run`
opens them, on the run folder of an earlier version: it has no checksums, so that what is broken gets past them.
"""

import functools
import io
import itertools
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from maskgit_lab.assembly.load import load_weights
from maskgit_lab.assembly.networks import build_model
from maskgit_lab.assembly.read import load_config
from maskgit_lab.data.image_files import load_images
from maskgit_lab.data.mask_files import load_masks
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from tests.faults.bench import Bench, require, require_refusal
from tests.faults.fault import Fault
from tests.faults.mutate import broken_bytes, broken_values

OLD_RUN = Path(__file__).parents[1] / "fixtures" / "run"
SIDE = 24  # pixels
SAVED: tuple[tuple[str, str, dict[str, Any]], ...] = (  # suffix, mode, how it is saved
    ("png", "RGB", {}),
    ("png", "RGBA", {}),
    ("png", "LA", {}),
    ("png", "P", {"transparency": 3}),
    ("png", "1", {}),
    ("png", "I;16", {}),
    ("png", "L", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}),
    ("jpg", "RGB", {}),
    ("jpg", "L", {}),
    ("jpg", "CMYK", {}),
    ("jpg", "RGB", {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0"}),
    ("gif", "P", {}),
    ("bmp", "RGB", {}),
    ("bmp", "P", {}),
    ("tif", "RGB", {}),
    ("tif", "I;16", {}),
    ("tif", "F", {}),
    ("tif", "RGB", {"compression": "tiff_lzw"}),
    ("tif", "1", {"compression": "group4"}),
    ("tif", "RGB", {"compression": "jpeg"}),
    ("webp", "RGB", {}),
    ("webp", "RGBA", {"lossless": True}),
    ("ppm", "RGB", {}),
    ("pgm", "L", {}),
    ("tga", "RGB", {"compression": "tga_rle"}),
    ("jp2", "RGB", {}),
    ("ico", "RGBA", {}),
    ("pcx", "P", {}),
)
FORMATS = {"jpg": "jpeg", "tif": "tiff", "jp2": "jpeg2000", "pgm": "ppm"}
YAML_BOMBS = (
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in itertools.pairwise("abcdefghijk")),
    "[" * 20_000,
    "{a: " * 20_000,
    "a: &a\n  b: *a\n",
    "? " * 5_000,
    "- " * 20_000 + "x",
    "a: " + "9" * 100_000,
    "&" * 1000,
    "!!binary x",
    "name: !!set {x}\n",
    "%YAML 9.9\n---\n",
    "a: 1\n---\nb: 2\n",
    "\ufeffname: x\n",
    "name: x\nname: y\n",
    "on: off\nyes: no\n1: 2\n",
    "2026-01-31",
)


@functools.cache
def _images() -> list[tuple[str, bytes]]:
    """Return (suffix, content) of whole images of every kind that can be written here."""
    rng, found = np.random.default_rng(0), []
    grey = rng.integers(0, 256, (SIDE, SIDE + 6), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    for suffix, mode, how in SAVED:
        image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
        stream = io.BytesIO()
        try:
            image.save(
                stream,
                "jpeg" if suffix == "jpg" else "tiff" if suffix == "tif" else {"jp2": "jpeg2000", "pgm": "ppm"}.get(suffix, suffix),
                **how,
            )
        except (OSError, KeyError, ValueError):  # a codec that this Pillow lacks
            continue
        found.append((suffix, stream.getvalue()))
    return found


def _broken_image(bench: Bench, rng: random.Random) -> Path:
    suffix, content = rng.choice(_images())
    path = bench.once("broken images", lambda folder: None) / f"photo.{rng.choice((suffix, suffix, 'png', 'jpg'))}"
    path.write_bytes(broken_bytes(content, rng))
    return path


def _image(bench: Bench, rng: random.Random) -> None:
    path = _broken_image(bench, rng)
    try:
        images = load_images([path], resolution=16)
    except BaseException as error:
        require_refusal(error, path)
    else:
        require(images.shape == (1, 16, 16, 3) and images.dtype == np.uint8, "not an image")


def _mask(bench: Bench, rng: random.Random) -> None:
    path = _broken_image(bench, rng)
    try:
        holes = load_masks([path], resolution=16, hole=rng.choice(("white", "black")))
    except BaseException as error:
        require_refusal(error, path)
    else:
        require(holes.shape == (1, 16, 16) and holes.dtype == np.bool_, "not a mask")


@functools.cache
def _content(name: str) -> Any:
    return torch.load(OLD_RUN / name, weights_only=True)


CHECKPOINTS = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "tokenizer.pt")


@functools.cache
def _network() -> tuple[MaskedTokenModel, FrozenTokenizer]:
    tokenizer = FrozenTokenizer.load(OLD_RUN / "tokenizer.pt")
    return build_model(load_config(OLD_RUN).model, tokenizer), tokenizer


def _checkpoint(deep: bool, bench: Bench, rng: random.Random) -> None:
    name = rng.choice(CHECKPOINTS)
    path = _old_run(bench) / name
    if deep:
        torch.save(broken_values(_content(name), rng, tensors=True), path)
    else:
        path.write_bytes(broken_bytes((OLD_RUN / name).read_bytes(), rng))
    network, tokenizer = _network()
    try:
        if name == "tokenizer.pt":
            FrozenTokenizer.load(path)
        else:
            load_weights(network, path, tokenizer)
    except BaseException as error:
        require_refusal(error, path)
    finally:
        shutil.copyfile(OLD_RUN / name, path)


def _old_run(bench: Bench) -> Path:
    return bench.once("old run", lambda folder: shutil.copytree(OLD_RUN, folder, dirs_exist_ok=True))


def _config(deep: bool, bench: Bench, rng: random.Random) -> None:
    folder = _old_run(bench)
    path, text = folder / "config.yaml", (OLD_RUN / "config.yaml").read_text()
    if deep:
        path.write_text(yaml.safe_dump(broken_values(yaml.safe_load(text), rng), allow_unicode=True, sort_keys=False))
    elif rng.random() < 0.02:
        path.write_text(rng.choice(YAML_BOMBS))
    else:
        path.write_bytes(broken_bytes(text.encode(), rng))
    try:
        if deep:
            Inpainter.from_run(folder, device="cpu")
        else:
            load_config(folder)
    except BaseException as error:
        # a value that fits nowhere is named by its key, a file that is no configuration by its name
        require_refusal(error, Path("") if deep else path)
    finally:
        path.write_text(text)


def _ready(bench: Bench) -> None:
    _old_run(bench), _network(), _images()


FAULTS = (
    Fault(name="fuzz: images", attempt=_image, times=55_000, quick=150, caged=True, needs=(_ready,)),
    Fault(name="fuzz: masks", attempt=_mask, times=30_000, quick=100, caged=True, needs=(_ready,)),
    Fault(
        name="fuzz: checkpoints, bytes",
        attempt=functools.partial(_checkpoint, False),
        times=6_000,
        quick=20,
        caged=True,
        needs=(_ready,),
    ),
    Fault(
        name="fuzz: checkpoints, values",
        attempt=functools.partial(_checkpoint, True),
        times=4_000,
        quick=20,
        caged=True,
        needs=(_ready,),
    ),
    Fault(
        name="fuzz: configurations, bytes",
        attempt=functools.partial(_config, False),
        times=3_500,
        quick=8,
        caged=True,
        needs=(_ready,),
    ),
    Fault(
        name="fuzz: configurations, values",
        attempt=functools.partial(_config, True),
        times=1_500,
        quick=4,
        caged=True,
        needs=(_ready,),
    ),
)
