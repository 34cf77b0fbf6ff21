"""The reference of the configuration is the one that the code gives, and says something of every key."""

import re

import pytest

from maskgit_lab.assembly.help import ACTING
from tests.test_public_keys import LISTED
from tools.configuration_reference import PAGE, allowed, in_words, page


@pytest.fixture(scope="module")
def text() -> str:
    return page()


def test_reference_is_up_to_date(text: str):
    assert PAGE.read_text(encoding="utf-8") == text, "python -m tools.configuration_reference writes it"


def test_reference_has_every_public_key_with_its_meaning(text: str):
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, flags=re.MULTILINE)
    said = {key: meaning for key, _, meaning, _ in rows}
    assert [key for key, meaning in said.items() if not meaning.strip()] == []
    listed = {key for command, key in map(str.split, LISTED.read_text().splitlines()) if command not in ACTING}
    in_overlays = {key for key in listed if f"`{key}=" in text}
    heads = {line[4:].replace("/", ".") for line in text.splitlines() if line.startswith("### ")}
    parents = {key.rpartition(".")[0] for key in said} | {f"callbacks.{name}" for name in ("throughput",)}
    assert listed - set(said) - in_overlays - heads - parents == set()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"least": 1, "most": 2**31 - 1, "whole": True}, "whole number, at least 1"),
        ({"least": 0, "most": 1000, "whole": True}, "whole number, 0 to 1,000"),
        ({"above": 0, "below": 1}, "number, above 0 and below 1"),
        ({"least": 0, "or_null": True}, "number, at least 0, or null"),
        ({"least": 0.5, "most": 1.5}, "number, 0.5 to 1.5"),
    ],
)
def test_in_words_says_a_range(limits, words: str):
    assert in_words(**limits) == words


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("hole_style", "brush", "`brush`, `walk`, `box`, `centre`, `half`"),
        ("speed", None, "`fast`, `plain`, null"),
        ("tokenizer.mean", [0, 0, 0], "3 numbers, each number, 0 to 1"),
        ("sweet_spots", [3], "list, each whole number, at least 1"),
        ("trainer.max_epochs", 2, "whole number, at least -1, or null"),
        ("overwrite", False, "`true`, `false`"),
        ("notes", "", ""),
    ],
)
def test_allowed_says_what_a_key_takes(key: str, value, words: str):
    assert allowed(key, value) == words
