"""Text in files: UTF-8 whatever the locale says, whole or not at all, and JSON that every reader takes.

A name that the system could not decode (an accent under LC_ALL=C) holds its bytes as surrogates; they are written as they came.
"""

import json
import math
from pathlib import Path
from typing import Any

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


def to_json(content: Any) -> str:
    """Return JSON text; NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raise ValueError naming the file when it is none."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}): it is damaged, or another program wrote it") from error


def write_json(path: Path, content: Any) -> None:
    """Write a file as `to_json` says."""
    write_text(path, to_json(content))


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content
