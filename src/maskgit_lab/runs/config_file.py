"""config.yaml, with a checksum of its lines in the first one; a file without one, of an earlier version, is taken as it is."""

import io
import re
import zlib
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.whole_file import write_whole

FIRST_LINE = "# crc32 {} of the lines below; remove this line if you change them\n"
CHECKSUM = re.compile(re.escape(FIRST_LINE).replace(r"\{\}", "([0-9a-f]{8})"))
REMEDY = "Restore it from a copy of the run"
BY_HAND = "If you changed it yourself, remove its first line"
ALIKE = 0.5  # share of equal characters from which a first line is a damaged one of ours


def write_config(path: Path, text: str) -> None:
    """Write a configuration, the text of a YAML mapping, in one piece; others may read while a sweep runs."""
    write_whole(path, FIRST_LINE.format(_crc(text.encode())) + text)


def read_config(path: Path) -> DictConfig:
    """Read what `write_config` wrote, or a file without a checksum.

    Raise FileNotFoundError when there is none, DamagedFileError, a ValueError, when it is empty, cut off, damaged, or no mapping.
    """
    text = checked_text(path)
    try:
        config = OmegaConf.load(io.StringIO(text))
    except Exception as error:  # of yaml or omegaconf
        reason = " ".join(str(error).split())
        raise DamagedFileError(f"{path} is damaged: it is cut off, or no YAML ({reason}). {REMEDY}") from error
    # a line of text is read as a key without a value
    if not isinstance(config, DictConfig) or all(config._get_node(key)._is_none() for key in config):  # type: ignore[union-attr]
        raise DamagedFileError(f"{path} is damaged: it holds no keys. {REMEDY}")
    return config


def checked_text(path: Path) -> str:
    """Return the text of a configuration whose lines fit their checksum; for errors see `read_config`."""
    data = path.read_bytes()
    if not data.strip():
        raise DamagedFileError(f"{path} is empty. {REMEDY}")
    length = len(FIRST_LINE.format(_crc(b"")))
    head, body = data[:length], data[length:]
    told = CHECKSUM.fullmatch(head.decode("latin-1"))
    if told[1] != _crc(body) if told else _alike(head):
        raise DamagedFileError(f"{path} is damaged: its lines do not fit their checksum. {REMEDY}. {BY_HAND}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path} is damaged: it is no text in UTF-8. {REMEDY}") from error


def _crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


def _alike(head: bytes) -> bool:
    """Return whether the beginning of a file is what is left of `FIRST_LINE`."""
    expected = FIRST_LINE.format("0" * 8).encode()
    return sum(a == b for a, b in zip(head, expected, strict=False)) > ALIKE * len(expected)
