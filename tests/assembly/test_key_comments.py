"""Comments of YAML files are read with the keys they are behind."""

from pathlib import Path

import pytest

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.key_comments import comments, files_of, sentence

TEXT = """\
# @package _global_
# What the file is.
#   python -m something
defaults:
  - base                  # not a group
  - override /data: cats  # of another file
  - model: tiny           # a group
plain: 1      # of a number
quoted: "a # b"   # of a text
bare: null
group:        # of a group
  list: [1, 2]  # of a list,
                # which goes on
  # of nothing
  inner:
    deep: ${plain}  # of what follows another
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "own.yaml").write_text(TEXT)
    (tmp_path / "group" / "base.yaml").write_text("plain: 2  # of the base\nmore: 3  # of the base\n")
    (tmp_path / "group" / "zebra.yaml").write_text("more: 3  # of another\nbare: 1  # of another\n")
    return tmp_path


def test_comments_are_those_behind_their_keys(folder: Path):
    assert comments(folder / "group" / "own.yaml") == {
        "model": "a group", "override /data": "of another file", "plain": "of a number", "quoted": "of a text",
        "group": "of a group", "group.list": "of a list, which goes on", "group.inner.deep": "of what follows another",
    }  # fmt: skip


def test_sentence_is_the_first_line_that_says_what_a_file_is(folder: Path):
    assert sentence(folder / "group" / "own.yaml") == "What the file is."
    assert sentence(folder / "group" / "base.yaml") == ""


def test_files_of_begin_with_the_option_and_what_it_is_made_from(folder: Path):
    assert [path.stem for path in files_of(folder, "group", "own")] == ["own", "base", "zebra"]


def test_comments_of_a_block_do_not_belong_to_the_key_below():
    said = comments(Path(config_dir()) / "train.yaml")
    assert said["seed"].startswith("of weights")
    assert "hydra.run" not in said
