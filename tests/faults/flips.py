"""Files that changed behind our back: a flipped bit, a cut, other content.

What belongs to a run is refused by one line that names the file. What lies in the cache is made again. Either way no value is read
that was not written: where a reader does return something, it is what the whole file says.
"""

import contextlib
import copy
import functools
import hashlib
import io
import json
import operator
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskgit_lab.assembly.load import load_decoder, load_tokenizer
from maskgit_lab.assembly.read import load_config
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.data.datamodule import InpaintingDataModule, Serving
from maskgit_lab.data.image_files import load_images
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.token_cache import cached_tokens
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.metrics_file import read_epochs, read_rows
from maskgit_lab.runs.sweep import read_result
from tests.faults.bench import TINY_RUN, Bench, require, require_refusal
from tests.faults.fault import Fault
from tests.support import builders
from tests.support.configs import configuration

FOREIGN = (
    b"",
    b"\0" * 4096,
    b"null",
    b"{}",
    b"[]",
    b"not a file of ours\n",
    b"\x89PNG\r\n\x1a\n",
    b"PK\x03\x04",
    b"\x80\x02.",
    b"a: [",
    b"\xff\xfe",
)


def flip_a_bit(path: Path, rng: random.Random) -> None:
    """Change one bit in place."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """Leave the beginning."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def replace(path: Path, rng: random.Random) -> None:
    """Put something else there: nothing, noise, another format, or a neighbour's file."""
    neighbours = [p for p in (*path.parent.glob("*"), *path.parent.parent.glob("*")) if p.is_file() and p != path]
    noise = rng.randbytes(rng.randrange(1, 2000))
    path.write_bytes(rng.choice([*FOREIGN, noise, *(p.read_bytes() for p in neighbours)]))


HARM: dict[str, Callable[[Path, random.Random], None]] = {"flip": flip_a_bit, "cut": cut, "replace": replace}


@dataclass(frozen=True)
class Kind:
    """A kind of file in a run folder."""

    path: str  # within the folder
    read: Callable[[Path], Any]  # run folder -> what the file says
    same: Callable[[Any, Any], bool] = operator.eq  # whether what was read may be taken for what was written
    write: Callable[[Path], None] = lambda folder: None  # a file that a run folder need not have is put there


def _digest(content: Any) -> str:
    """Return a hash of nested values with tensors in them."""
    digest = hashlib.sha256()

    def add(node: Any) -> None:
        if isinstance(node, dict):
            for key in sorted(node, key=repr):
                digest.update(repr(key).encode())
                add(node[key])
        elif isinstance(node, list | tuple):
            for child in node:
                add(child)
        elif isinstance(node, torch.Tensor):
            digest.update(
                f"{node.dtype}{tuple(node.shape)}".encode() + node.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            )
        else:
            digest.update(repr(node).encode())

    add(content)
    return digest.hexdigest()


def _weights(which: str, folder: Path) -> str:
    return _digest(Inpainter.from_run(folder, checkpoint=which, device="cpu").filler.model.state_dict())


def _in_a_run(kind: Kind, harm: str, bench: Bench, rng: random.Random) -> None:
    folder = bench.fresh() / "run"
    shutil.copytree(bench.finished, folder)
    path = folder / kind.path
    kind.write(folder)
    whole, expected = path.read_bytes(), kind.read(folder)
    HARM[harm](path, rng)
    if path.read_bytes() == whole:
        return
    try:
        found = kind.read(folder)
    except BaseException as error:
        require_refusal(error, path)
    else:
        require(kind.same(found, expected), f"{harm}: {path.name} was read as something else")
    finally:
        shutil.rmtree(folder.parent)


def _write_decoder(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(RunFolder(folder))
    FrozenDecoder(ConditionalDecoder(network=tokenizer.model), tokenizer).save(RunFolder(folder).decoder)


def _decoder(folder: Path) -> str:
    found = load_decoder(RunFolder(folder), load_tokenizer(RunFolder(folder)), "conditional")
    assert found is not None
    return found.sha256


def _curves(folder: Path) -> list[dict[str, str]]:
    rows = read_rows(RunFolder(folder).metrics)
    read_epochs(RunFolder(folder).metrics)
    return rows


def _same_curves(found: list[dict[str, str]], expected: list[dict[str, str]]) -> bool:
    """Return whether rows are the first ones of a table, but for one name or number.

    metrics.csv has no checksum: other programs append to it and read it. A last row that was being written is left out, and so
    is a first one.
    """
    tables = [[list(rows[0]), *(list(row.values()) for row in rows)] if rows else [] for rows in (found, expected)]
    others = [a for row, whole in zip(*tables, strict=False) for a, b in zip(row, whole, strict=True) if a != b]
    return len(found) <= len(expected) and len(others) <= 1


RUN_FILES = {
    "best.ckpt": Kind("checkpoints/best.ckpt", functools.partial(_weights, "best")),
    "last.ckpt": Kind("checkpoints/last.ckpt", functools.partial(_weights, "last")),
    "tokenizer.pt": Kind("tokenizer.pt", lambda folder: load_tokenizer(RunFolder(folder)).sha256),
    "decoder.pt": Kind("decoder.pt", _decoder, write=_write_decoder),
    "config.yaml": Kind("config.yaml", lambda folder: asdict(load_config(folder))),
    "result.json": Kind("result.json", lambda folder: json.dumps(read_result(folder))),
    "metrics.csv": Kind("metrics.csv", _curves, _same_curves),
}


@dataclass(frozen=True)
class Cache:
    """A kind of derived file: it is made in an empty folder, or read there."""

    values: Callable[[Bench, Path], Any]  # to be compared with np.array_equal
    suffix: str = ".npy"


def _images(bench: Bench, cache: Path) -> np.ndarray:
    return np.array(load_images(list_images(bench.images, key="images"), resolution=32, cache=cache))


def _holes(bench: Bench, cache: Path) -> np.ndarray:
    serving = Serving(batch_size=4, num_train_holes=16)
    return (
        InpaintingDataModule(splits=builders.splits(), tokenizer=builders.tokenizer(), cache=cache, serving=serving)
        .train_holes()
        .numpy()
    )


def _tokens(bench: Bench, cache: Path) -> np.ndarray:
    tokenizer = builders.tokenizer()
    return np.array(cached_tokens(
        builders.image_set(8), tokenizer.encode, folder=cache, tokenizer_id=tokenizer.sha256, num_tokens=64, flip=True, batch_size=8
    ))  # fmt: skip


def _tokenizer(bench: Bench, cache: Path) -> np.ndarray:
    config = copy.deepcopy(_stage1())
    config.paths.cache = str(cache)
    with contextlib.redirect_stderr(io.StringIO()):  # bars
        return np.array(find_or_train_tokenizer(config, builders.splits(), folder=bench.fresh()).sha256)


@functools.cache
def _stage1() -> TrainConfig:
    return configuration(
        *TINY_RUN, "data.source.resolution=32", "tokenizer.model.img_resolution=32", "tokenizer.training.max_steps=2"
    )


CACHES = {
    "images": Cache(_images),
    "holes": Cache(_holes),
    "tokens": Cache(_tokens),
    "tokenizer": Cache(_tokenizer, "tokenizer.pt"),
}


def _in_a_cache(name: str, harm: str, bench: Bench, rng: random.Random) -> None:
    cache = bench.fresh()
    shutil.copytree(bench.once(f"cache of {name}", lambda folder: CACHES[name].values(bench, folder)), cache, dirs_exist_ok=True)
    expected = CACHES[name].values(bench, cache)
    (path,) = [p for p in cache.rglob(f"*{CACHES[name].suffix}") if p.is_file()]
    HARM[harm](path, rng)
    require(np.array_equal(CACHES[name].values(bench, cache), expected), f"{harm}: another {name} was taken from {path.name}")
    require(np.array_equal(CACHES[name].values(bench, cache), expected), f"{harm}: another {name} at the second look")
    require(not list(cache.rglob("*.partial")), "a .partial file is left")
    shutil.rmtree(cache)


FAULTS = (
    *(
        Fault(
            name=f"{harm} {name}", attempt=functools.partial(_in_a_run, kind, harm), times=200 if harm == "flip" else 60,
            quick=3 if harm == "flip" else 1, needs=(lambda bench: bench.finished,), caged=True,
        )
        for name, kind in RUN_FILES.items()
        for harm in HARM
    ),
    *(
        Fault(
            name=f"{harm} cached {name}", attempt=functools.partial(_in_a_cache, name, harm), times=60 if harm == "flip" else 20,
            quick=int(name != "tokenizer" or harm == "flip"),  # a tokenizer is trained again, which takes a second
        )
        for name in CACHES
        for harm in HARM
    ),
)  # fmt: skip
