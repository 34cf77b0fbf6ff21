"""config.yaml, with a checksum of its lines in the first one; a file without one, of an earlier version, is taken as it is.

Accidents keep a file's length or cut it. A file with as many lines and another length was changed by hand: that is said, and taken.
"""

import functools
import logging
import re
import zlib
from pathlib import Path

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.text_file import UNDECODED, write_text

log = logging.getLogger("maskgit_lab")

FIRST_LINE = "# crc32 {crc:08x} of the {size:06d} bytes in {lines:04d} lines below; remove this line if you change them\n"
CHECKSUM = re.compile(
    rb"# crc32 (?P<crc>[0-9a-f]{8}) of the (?P<size>\d{6}) bytes in (?P<lines>\d{4}) lines below; "
    rb"remove this line if you change them\n"
)
LENGTH = len(FIRST_LINE.format(crc=0, size=0, lines=0))
REMEDY = "Restore it from a copy of the run"
BY_HAND = "If you changed it yourself, remove its first line"
ALIKE = 0.5  # share of equal characters from which a first line is a damaged one of ours


def write_config(path: Path, text: str) -> None:
    """Write a configuration, the text of a YAML mapping, in one piece; others may read while a sweep runs."""
    data = text.encode("utf-8", UNDECODED)
    write_text(path, FIRST_LINE.format(crc=zlib.crc32(data), size=len(data), lines=data.count(b"\n")) + text)


def checked_text(path: Path) -> str:
    """Return the text of a configuration, with the checksum that its lines fit, or of a file without one.

    Raise FileNotFoundError when there is none, DamagedFileError, a ValueError, when it is empty, cut off or damaged.
    """
    data = path.read_bytes()
    if not data.strip():
        raise DamagedFileError(f"{path} is empty. {REMEDY}")
    head, body = data[:LENGTH], data[LENGTH:]
    told = CHECKSUM.fullmatch(head)
    if told is None:
        if _alike(head):
            raise DamagedFileError(f"{path} is damaged: its first line is not whole. {REMEDY}")
    elif int(told["crc"], 16) == zlib.crc32(body):
        if (int(told["size"]), int(told["lines"])) != (len(body), body.count(b"\n")):
            raise DamagedFileError(f"{path} is damaged: its first line is not right. {REMEDY}. {BY_HAND}")
    else:
        if not body.endswith(b"\n") or body.count(b"\n") < int(told["lines"]):
            raise DamagedFileError(f"{path} is cut off: it had {int(told['lines'])} lines. {REMEDY}. {BY_HAND}")
        if len(body) == int(told["size"]):
            raise DamagedFileError(f"{path} is damaged: its lines do not fit their checksum. {REMEDY}. {BY_HAND}")
        _say_changed(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path} is damaged: it is no text in UTF-8. {REMEDY}") from error


@functools.cache
def _say_changed(path: Path) -> None:
    """Say it once, however often a command reads the file."""
    log.warning(f"{path} was changed since the run wrote it")


def _alike(head: bytes) -> bool:
    """Return whether the beginning of a file is what is left of `FIRST_LINE`."""
    expected = FIRST_LINE.format(crc=0, size=0, lines=0).encode()
    return sum(a == b for a, b in zip(head, expected, strict=False)) > ALIKE * len(expected)
