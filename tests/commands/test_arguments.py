"""Paths and texts reach a command as they were typed."""

import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from maskgit_lab.commands.arguments import as_typed, expand_home


@pytest.mark.parametrize(
    "value",
    ["/a/b c", "a=b", "a,b", "x[1]{2}(3)", "é/ü", "it's", "back\\", "\\'", 'say "x"', "1234", "true", "#1", "a:b", "100%",
    "x ~", "a\tb"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["data.root", "run", "+data.masks", "notes"])
def test_as_typed_keeps_every_character(key: str, value: str):
    (argument,) = as_typed([f"{key}={value}"])
    assert OverridesParser.create().parse_override(argument).value() == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [("[a.png,b c.jpg]", ["a.png", "b c.jpg"]), ("[é=1.png, 'x,y.png' , 2]", ["é=1.png", "x,y.png", "2"]),
    ("[~/a.png,it's.png]", [str(Path.home() / "a.png"), "it's.png"])],
)  # fmt: skip
def test_as_typed_reads_a_list_of_files(value: str, expected: list[str]):
    (argument,) = as_typed([f"images={value}"])
    assert OverridesParser.create().parse_override(argument).value() == expected


def test_as_typed_takes_brackets_for_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "[1]").touch()
    assert as_typed(["images=[1]"]) == ["images='[1]'"]


def test_as_typed_knows_the_home_folder():
    (argument,) = as_typed(["data.root=~/my photos"])
    assert OverridesParser.create().parse_override(argument).value() == str(Path.home() / "my photos")


@pytest.mark.parametrize(
    "argument",
    ["data.masks=null", "out=${run}/x", "run='a b'", 'run="a b"', "seed=0,1", "tags=[a,b]", "data=image_folder", "out=",
    "run=a/b_1.2-c", "--help"],
)  # fmt: skip
def test_as_typed_leaves_alone_what_hydra_reads_rightly(argument: str):
    assert as_typed([argument]) == [argument]


def test_as_typed_finds_the_policies_where_hydra_has_them():
    typed = as_typed(["decode.policy=halton", "decode.policy.eta=2", "decode.policy={_target_: x}"])
    assert typed == ["decode/policy=halton", "decode.policy.eta=2", "decode.policy={_target_: x}"]
    assert as_typed(["-m", "decode.policy=halton,p2"]) == ["-m", "decode/policy=halton,p2"]


@pytest.mark.parametrize("flag", ["-m", "--multirun", "experiment=sweep_seeds"])
def test_as_typed_leaves_the_values_of_a_sweep_apart(flag: str):
    assert as_typed([flag, "data.root=a,b", "name=choice(a,b)"]) == [flag, "data.root=a,b", "name=choice(a,b)"]


def test_as_typed_reads_text_as_utf8_where_the_locale_could_not():
    bytes_of_e = b"\xc3\xa9".decode("ascii", "surrogateescape")
    notes, root, name = as_typed([f"notes={bytes_of_e}", f"data.root={bytes_of_e}", f"name={bytes_of_e}"])
    assert notes == "notes='é'"
    assert (root, name) == (f"data.root='{bytes_of_e}'", f"name='{bytes_of_e}'")  # files are found by the locale's own rules


def test_expand_home_reaches_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKGIT_LAB_RUNS", "~/runs")
    monkeypatch.setenv("MASKGIT_LAB_CACHE", "cache")
    expand_home()
    assert (os.environ["MASKGIT_LAB_RUNS"], os.environ["MASKGIT_LAB_CACHE"]) == (str(Path.home() / "runs"), "cache")
