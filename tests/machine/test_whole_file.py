"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from maskgit_lab.machine.whole_file import whole_file


def test_whole_file_shows_the_old_content_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.name == f"a.json.{os.getpid()}.partial"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_file_makes_the_folder(tmp_path: Path):
    with whole_file(tmp_path / "deep" / "er" / "a") as partial:
        partial.write_text("x")
    assert (tmp_path / "deep" / "er" / "a").read_text() == "x"


def test_whole_file_leaves_everything_as_it_was_when_interrupted(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
