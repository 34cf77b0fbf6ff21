"""Text in files: UTF-8 whatever the locale says, whole or not at all.

A name that the system could not decode (an accent under LC_ALL=C) holds its bytes as surrogates; they are written as they came.
"""

from pathlib import Path

from maskgit_lab.machine.whole_file import whole_file

UNDECODED = "surrogateescape"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raise ValueError naming the file when it is not UTF-8, FileNotFoundError when there is none.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 (byte {error.start}): it is damaged, or another program wrote it") from error


def write_text(path: Path, text: str) -> None:
    """Write a file in one step; a link of that name is replaced, not followed."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors=UNDECODED)
