"""JSON with a checksum."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.json_file import read_json, to_json, write_json
from tests.support.damage import cuts, flips

CONTENT: dict[str, Any] = {"status": "completed", "scores": [{"fill": "Grün", "fid": 1.25e-7}], "sizes": [1, 2], "none": None}


def written(folder: Path) -> Path:
    write_json(folder / "result.json", CONTENT)
    return folder / "result.json"


def test_read_json_returns_what_was_written(tmp_path: Path):
    path = written(tmp_path)
    assert read_json(path, remedy="") == CONTENT
    write_json(path, CONTENT | {"nan": float("inf"), "tuple": (1, 2)})
    assert read_json(path, remedy="")["tuple"] == [1, 2]


def test_read_json_takes_files_without_a_checksum_and_other_layouts(tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(CONTENT))
    assert read_json(path, remedy="") == CONTENT
    path.write_text(json.dumps(json.loads(written(tmp_path).read_text())))
    assert read_json(path, remedy="") == CONTENT


def test_read_json_gives_the_content_or_refuses_whatever_bit_is_flipped(tmp_path: Path):
    path = written(tmp_path)
    refused = 0
    for harmed in flips(path.read_bytes(), 60):
        path.write_bytes(harmed)
        said = error_of(path)
        if said is None:
            assert read_json(path, remedy="") == CONTENT  # white space
        else:
            refused += 1
            assert said.startswith(f"{path} ")
            assert "Restore it" in said
    assert refused > 100


def error_of(path: Path) -> str | None:
    try:
        read_json(path, remedy="Restore it")
    except DamagedFileError as error:
        return str(error)
    return None


def test_read_json_refuses_every_cut(tmp_path: Path):
    path = written(tmp_path)
    data = path.read_bytes()
    for harmed in cuts(data.rstrip(), 60):
        path.write_bytes(harmed)
        with pytest.raises(DamagedFileError, match=r"result.json is (empty|damaged)"):
            read_json(path, remedy="")


@pytest.mark.parametrize("content", ["[1]", "3", "null", "[" * 100_000, '"text"', "{'a': 1}"])
def test_read_json_refuses_what_is_no_object(content: str, tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(DamagedFileError, match=r"result.json is damaged"):
        read_json(path, remedy="")


def test_read_json_says_how_to_keep_a_change_by_hand(tmp_path: Path):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("completed", "failed"))
    with pytest.raises(DamagedFileError, match="remove its entry crc32"):
        read_json(path, remedy="")


def refuse(word: str) -> float:
    raise AssertionError(f"{word} is not JSON")


def test_to_json_has_no_nan_and_no_infinity():
    text = to_json({"a": math.nan, "b": [math.inf, 1.5, {"c": -math.inf}], "d": (1, None, "NaN")})
    assert json.loads(text, parse_constant=refuse) == {"a": None, "b": [None, 1.5, {"c": None}], "d": [1, None, "NaN"]}


def test_write_json_and_read_json_keep_bytes_that_no_locale_could_decode(tmp_path: Path):
    name = "café ≈ " + b"\xc3\xa9".decode("ascii", "surrogateescape")
    write_json(tmp_path / "b.json", {"name": name, "best": math.nan})
    assert read_json(tmp_path / "b.json", remedy="") == {"name": name, "best": None}
