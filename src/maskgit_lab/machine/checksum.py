"""A CRC32 at the end of a binary file: accidents to its content are noticed when it is read.

CRC32 notices every single flipped bit and every damaged stretch of up to 32 bits, and misses other damage once in 4 billion times.
It guards against accidents, not against people. It is several times as fast as SHA-256 on processors without instructions for that,
which a check at every start and after every epoch needs.
"""

import re
import zlib
from pathlib import Path
from typing import IO

LABEL = b"maskgit_lab crc32 "
NUM_DIGITS = 8
ENDING = re.compile(re.escape(LABEL) + rb"([0-9a-f]{8})\n")
NUM_BYTES = len(LABEL) + NUM_DIGITS + 1  # of the whole ending
CHUNK = 2**20  # bytes read at once


class DamagedFileError(ValueError):
    """A file is not what was written; the message names it."""


def ending(crc: int) -> bytes:
    """Return what comes after `LABEL` at the end of a file, for the CRC32 of everything before, with the label."""
    return f"{crc:0{NUM_DIGITS}x}\n".encode()


def append_checksum(path: Path) -> None:
    """End a file with the checksum of what is in it."""
    with path.open("r+b") as file:
        crc = zlib.crc32(LABEL, _crc(file, None))
        file.write(LABEL + ending(crc))


def holds(file: IO[bytes]) -> bool | None:
    """Return whether a file's content fits the checksum at its end, None when it ends without one; the place in the file moves."""
    size = file.seek(0, 2)
    file.seek(max(0, size - NUM_BYTES))
    match = ENDING.fullmatch(file.read())
    if match is None:
        return None
    file.seek(0)
    return int(match[1], 16) == _crc(file, size - NUM_DIGITS - 1)


def _crc(file: IO[bytes], size: int | None) -> int:
    """Return the CRC32 of the next `size` bytes, None = of all that follow."""
    crc, left = 0, size
    while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
        crc = zlib.crc32(chunk, crc)
        left = None if left is None else left - len(chunk)
    return crc
