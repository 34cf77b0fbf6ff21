"""Text is UTF-8 whatever the locale; nothing in the package writes or reads text in another way."""

import ast
from pathlib import Path

import pytest

from maskgit_lab.machine.text_file import read_text, write_text

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TEXT_IO = ("read_text", "write_text", "open", "fdopen", "NamedTemporaryFile")
OURS = "maskgit_lab.machine.text_file"


def test_write_text_is_utf8_and_keeps_bytes_that_no_locale_could_decode(tmp_path: Path):
    name = "caf\u00e9 ≈ " + b"\xc3\xa9".decode("ascii", "surrogateescape")
    write_text(tmp_path / "a.txt", name)
    assert (tmp_path / "a.txt").read_bytes().decode() == "café ≈ é"


def test_write_text_replaces_a_link_and_does_not_follow_it(tmp_path: Path):
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "report.md").symlink_to(tmp_path / "theirs")
    write_text(tmp_path / "report.md", "ours")
    assert (tmp_path / "theirs").read_text() == "precious"
    assert (tmp_path / "report.md").read_text() == "ours"


def test_read_text_names_a_file_that_is_not_utf8(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.txt is not text in UTF-8 \(byte 0\)"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src" / "maskgit_lab")))
def test_sources_name_the_encoding_wherever_text_is_read_or_written(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == OURS for alias in node.names
    }
    own |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [line for line in map(without_encoding, calls(tree, own)) if line] == []


def calls(tree: ast.Module, own: set[str]) -> list[ast.Call]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in found if not (isinstance(node.func, ast.Name) and node.func.id in own)]


def without_encoding(call: ast.Call) -> int | None:
    """Return the line of a call that leaves the encoding to the locale."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    modes = [*call.args, *keywords.values()]
    binary = any(isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" in mode.value for mode in modes)
    as_text = any(isinstance(keywords.get(key), ast.Constant) for key in ("text", "universal_newlines"))
    if "encoding" in keywords or not ((name in TEXT_IO and not binary) or as_text):
        return None
    return None if ast.unparse(call.func) in ("Image.open", "os.open", "archive.open") else call.lineno
