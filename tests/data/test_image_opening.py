"""One file at a time: bounded before it is decoded, and every problem in words."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from maskgit_lab.data.image_opening import MAX_PIXELS, BadImageError, ReadOptions, opened, shown_size
from maskgit_lab.data.image_pixels import rgb_pixels
from tests.support.builders import pictures, write_pictures


def read(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    with opened(path, ReadOptions(keys="", max_pixels=max_pixels)) as image:
        return np.asarray(rgb_pixels(image))


def header_only(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds no pixels: a test that decodes it fails with another message."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")


@pytest.mark.parametrize("size", [(14_000, 14_000), (2**31 - 1, 2**31 - 1), (12_001, 10_000)])
def test_opened_refuses_too_many_pixels_by_the_header(tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "bomb.png"
    path.write_bytes(header_only(*size))
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's DecompressionBombWarning would be raised
        with pytest.raises(
            BadImageError, match=rf"{size[0]}x{size[1]} pixels, more than max_pixels=120000000, which can be raised"
        ):
            read(path)
    assert before == Image.MAX_IMAGE_PIXELS


def test_opened_has_a_bound_that_moves(tmp_path: Path):
    (path,) = write_pictures(tmp_path, pictures(1))
    with pytest.raises(BadImageError, match=r"32x32 pixels, more than max_pixels=1023"):
        read(path, max_pixels=1023)
    np.testing.assert_array_equal(read(path, max_pixels=1024), pictures(1)[0])
    with pytest.raises(ValueError, match=r"^max_pixels must be a whole number of at least 1, got 0"):
        read(path, max_pixels=0)


def test_opened_reads_what_pillow_alone_would_warn_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (path,) = write_pictures(tmp_path, pictures(1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read(path).shape == (32, 32, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(pictures(1)[0]).save(path)
    content = path.read_bytes()
    if kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "checksum":
        content = content.replace(b"IHDR", b"IHDR")[:29] + b"\0\0\0\0" + content[33:]
    elif kind == "noise":
        content = b"not an image at all"
    elif kind == "empty":
        content = b""
    elif kind == "heic":
        content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    elif kind == "line":
        Image.new("L", (500, 1)).save(path)
        content = path.read_bytes()
    elif kind == "no pixels":
        content = header_only(0, 5)
    elif kind == "text":
        info = PngImagePlugin.PngInfo()
        info.add_text("comment", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
        Image.fromarray(pictures(1)[0]).save(path, pnginfo=info)
        content = path.read_bytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", "^not a readable image$"), ("checksum", "not a readable image"), ("noise", "not a readable image"),
        ("empty", "not a readable image"), ("heic", "HEIC, which Pillow does not read"), ("line", "500x1 pixels"),
        ("no pixels", "not a readable image|0x5 pixels"), ("text", "not a readable image: Decompressed data too large"),
    ],
)  # fmt: skip
def test_opened_says_what_is_wrong(tmp_path: Path, kind: str, message: str):
    with pytest.raises(BadImageError, match=message):
        read(damaged(tmp_path, kind))


def test_opened_keeps_the_words_of_libtiff_off_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / "a.tif"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(path, compression="tiff_lzw")
    content = path.read_bytes()
    path.write_bytes(content[:1000] + b"\xff" * 100 + content[1100:])
    with pytest.raises(BadImageError, match="not a readable image"):
        read(path)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_opened_says_what_may_not_be_read(tmp_path: Path):
    (path,) = write_pictures(tmp_path, pictures(1))
    path.chmod(0)
    with pytest.raises(BadImageError, match="permission denied"):
        read(path)


def test_opened_starts_no_other_program_for_a_file(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")  # Ghostscript would run it
    with pytest.raises(BadImageError, match="not a readable image"):
        read(path)


@pytest.mark.parametrize(("orientation", "expected"), [(1, (20, 10)), (3, (20, 10)), (6, (10, 20)), (8, (10, 20)), (99, (20, 10))])
def test_shown_size_is_that_of_a_viewer(tmp_path: Path, orientation: int, expected: tuple[int, int]):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    assert shown_size(tmp_path / "a.jpg", ReadOptions()) == expected
    assert read(tmp_path / "a.jpg").shape[1::-1] == expected
