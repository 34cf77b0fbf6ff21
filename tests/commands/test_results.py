"""Results never replace what is there unless that was asked for, and never what they are made of."""

import os
from pathlib import Path

import pytest

from maskgit_lab.commands.results import check_apart, check_results, result_names


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ("cat.jpg dog.png", "cat dog"),
        ("cat.jpg cat.png dog.png", "cat.jpg cat.png dog"),
        ("Cat.jpg cat.png", "Cat.jpg cat.png"),
        ("cat.jpg cat.png cat.jpg.png", "cat.jpg cat.png cat.jpg.png"),
        ("caf\u00e9.jpg cafe\u0301.png", "caf\u00e9.jpg cafe\u0301.png"),
        ("nosuffix a.b.png", "nosuffix a.b"),
        ("a/cat.png b/cat.png b/cat.jpg", "a/cat b/cat.png b/cat.jpg"),
    ],
)
def test_result_names_keep_images_apart(images: str, expected: str):
    assert result_names([Path(name) for name in images.split()]) == expected.split()


def test_check_results_refuses_to_replace_anything_unless_told(tmp_path: Path):
    results = [tmp_path / "out" / name for name in ("a.png", "b.png", "c.png")]
    check_results(results, overwrite=False)
    results[1].parent.mkdir()
    results[1].touch()
    results[2].symlink_to("/nowhere")
    with pytest.raises(ValueError, match=r"out: 2 of 3 results are there already: .*b.png, .*c.png. .*overwrite=true"):
        check_results(results, overwrite=False)
    check_results(results, overwrite=True)


@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link"])
def test_check_results_never_replaces_an_input(tmp_path: Path, kind: str):
    (tmp_path / "in").mkdir()
    image = tmp_path / "in" / "a.png"
    image.touch()
    result = image if kind == "same" else tmp_path / "b.png"
    if kind == "symbolic link":
        result.symlink_to(image)
    elif kind == "hard link":
        os.link(image, result)
    with pytest.raises(ValueError, match=r"out: results would replace what they are made of: .*\.png. Choose another folder"):
        check_results([result], inputs=[image], overwrite=True)


def test_check_results_names_a_file_where_a_folder_should_be(tmp_path: Path):
    (tmp_path / "out").touch()
    with pytest.raises(ValueError, match=r"out: .*out is a file, not a folder"):
        check_results([tmp_path / "out" / "decoded" / "a.png"], overwrite=True)


def test_check_apart_refuses_the_folder_of_the_inputs(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path)
    for out in (tmp_path, tmp_path / "link"):
        with pytest.raises(ValueError, match=r"out: .* is the folder of the images or masks"):
            check_apart(out, [tmp_path / "a.png"])
    check_apart(tmp_path / "filled", [tmp_path / "a.png"])
