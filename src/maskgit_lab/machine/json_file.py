"""JSON that every reader takes, and JSON files with a checksum of their content as the first entry.

A file without one, of an earlier version, is taken as it is.
"""

import json
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.text_file import write_text

CHECKSUM = "crc32"
LOOKS_LIKE_ONE = re.compile(r"[0-9a-f]{8}")


def to_json(content: Any) -> str:
    """Return JSON text; NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON in one piece, so that a reader never sees half of it."""
    plain = {key: value for key, value in content.items() if key != CHECKSUM}
    write_text(path, to_json({CHECKSUM: _checksum(_finite(plain)), **plain}))


def read_json(path: Path, *, remedy: str) -> dict[str, Any]:
    """Return what `write_json` wrote.

    Args:
        path: the file.
        remedy: what to do when it is damaged, a sentence for the message.

    Returns:
        Its content, without the checksum.

    Raises:
        DamagedFileError: when it is empty, cut off, damaged, or no JSON object.
    """
    data = path.read_bytes()
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "is empty" if not data.strip() else f"is damaged: it is cut off, or no JSON ({error})"
        raise DamagedFileError(f"{path} {reason}. {remedy}") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} is damaged: it holds no JSON object. {remedy}")
    first = next(iter(content.values()), None)
    told = content.pop(CHECKSUM, None)
    if told is None and isinstance(first, str) and LOOKS_LIKE_ONE.fullmatch(first):
        told = "under a damaged name"
    if told is not None and told != _checksum(content):
        by_hand = f"If you changed it yourself, remove its entry {CHECKSUM}"
        raise DamagedFileError(f"{path} is damaged: its content does not fit its checksum. {remedy}. {by_hand}")
    return content


def _checksum(content: Mapping[str, Any]) -> str:
    """Return 8 hex digits over the values, however the file is laid out."""
    canonical = json.dumps(json.loads(json.dumps(content)))  # as it will be read back: tuples are lists, keys are strings
    return f"{zlib.crc32(canonical.encode()):08x}"


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content
