"""What of a folder is an image: by content, with everything else said in one line."""

import logging
import os
from pathlib import Path

import pytest
from PIL import Image

from maskgit_lab.data.image_listing import list_images
from tests.support.builders import pictures, write_pictures


def names(folder: Path) -> list[str]:
    return [path.name for path in list_images(folder, key="images")]


def save(path: Path, kind: str) -> None:
    Image.fromarray(pictures(1)[0]).save(path, format=kind)


def test_list_images_is_in_natural_order(tmp_path: Path):
    for name in ("image_10.png", "image_2.png", "image_1.png", "image_².png", "7.png"):
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path) == ["7.png", "image_1.png", "image_2.png", "image_10.png", "image_².png"]


def test_list_images_of_a_single_file_is_a_list_of_one(tmp_path: Path):
    path = write_pictures(tmp_path, pictures(1))[0]
    assert list_images(path, key="images") == [path]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_list_images_names_a_folder_without_images_with_its_key(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=rf"data.root: no .*{name}"):
        list_images(tmp_path / name, key="data.root")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", "JPEG"), ("a", "JPEG"), ("a.jfif", "JPEG"), ("photo.heic", "JPEG"), ("photo.jxl", "PNG"), ("a.png", "GIF"),
        ("2024.05.01", "PNG"), ("a.qoi", "QOI"), ("a.pbm", "PPM"),
    ],
)  # fmt: skip
def test_list_images_goes_by_the_bytes_where_the_suffix_does_not_tell(tmp_path: Path, name: str, kind: str):
    save(tmp_path / name, kind)
    assert names(tmp_path) == [name]


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_list_images_says_in_one_line_what_it_does_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_pictures(tmp_path, pictures(2))
    write_pictures(tmp_path / "album.jpg", pictures(3))
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "._image_000.png").write_bytes(b"\0\5\26\7")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "scan.jpg_original").write_bytes((tmp_path / "image_000.png").read_bytes())
    (tmp_path / "raw.nef").write_bytes(b"II*\0")
    (tmp_path / "phone.heic").write_bytes(HEIC)
    (tmp_path / "nothing.png").touch()
    (tmp_path / "gone.png").symlink_to("/nowhere/gone.png")
    (tmp_path / "round.png").symlink_to("round.png")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        assert names(tmp_path) == ["image_000.png", "image_001.png"]
    (line,) = caplog.messages
    for part in (
        "images: 2 images in", "hidden files: 1 (._image_000.png)", "other files: 3 (Thumbs.db, raw.nef, scan.jpg_original)",
        "HEIC files, to be converted to PNG or JPEG: 1 (phone.heic)", "empty files: 1 (nothing.png)",
        "dead links: 2 (gone.png, round.png)", "pipes or devices: 1 (pipe.png)", "in subfolders: 3 (album.jpg; images=",
    ):  # fmt: skip
        assert part in line


def test_list_images_of_images_only_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_pictures(tmp_path, pictures(2))
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        list_images(tmp_path, key="images")
    assert not caplog.messages


def test_list_images_says_where_the_images_are_when_all_are_in_subfolders(tmp_path: Path):
    write_pictures(tmp_path / "2023", pictures(2))
    with pytest.raises(FileNotFoundError, match=r"data.root: no images in .*in subfolders: 2 \(2023; data.root=.*2023 reads one\)"):
        list_images(tmp_path, key="data.root")


def test_list_images_shows_names_that_are_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    (tmp_path / "two\nlines.db").write_bytes(b"x")
    (tmp_path / os.fsdecode(b"\xe9.db")).write_bytes(b"x")
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        assert len(names(tmp_path)) == 1
    assert "(two?lines.db, ?.db)" in caplog.text.encode().decode()
