"""Files of tensors, as `torch.save` writes them and `torch.load` reads them, with a checksum over every byte.

The checksum is the comment of the zip archive, so that it travels with the file and other readers pass over it. No file is trusted:
what is read is tensors and plain values, never code (`weights_only=True`).
"""

import pickle
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from maskgit_lab.machine.checksum import CHUNK, LABEL, NUM_BYTES, DamagedFileError, ending, holds
from maskgit_lab.machine.whole_file import whole_file

ZIP_START = b"PK\x03\x04"
ZIP_END, ZIP_END_SIZE = b"PK\x05\x06", 22  # the last record of an archive without a comment
COMMENT_LENGTH = 2  # bytes; the last of that record


def save_tensors(content: Any, path: Path) -> None:
    """Write tensors and plain values whole or not at all; CannotWriteError when the disk is full, read-only or not permitted."""
    with whole_file(path, needed=_num_bytes(content)) as partial, partial.open("wb", buffering=CHUNK) as file:
        sealing = _Sealing(file)
        try:
            torch.save(content, sealing)  # type: ignore[arg-type]  # it needs write and flush only
        except RuntimeError:
            if sealing.error is not None:
                raise sealing.error from None  # torch reports its own position instead
            raise
        sealing.finish()


def load_tensors(path: Path, *, what: str, remedy: str, own: bool = True, place: Any = "cpu") -> Any:
    """Read a file of tensors after checking it.

    Args:
        path: the file.
        what: it should be, in words, for the messages.
        remedy: what to do when it is not, a sentence for the messages.
        own: whether this package wrote it; files of others may be of older formats.
        place: `map_location` of `torch.load`.

    Returns:
        Its content.

    Raises:
        DamagedFileError: when it is empty, cut off, damaged, or of another kind.
    """
    with path.open("rb") as file:
        problem = _problem(file, own)
        if problem is None:
            file.seek(0)
            try:
                return torch.load(file, map_location=place, weights_only=True)
            except OSError:
                raise
            except Exception as error:  # torch raises half a dozen types for files that are not its own
                problem = f"cannot be read as {what}: {reason_of(error)}"
        raise DamagedFileError(f"{path} {problem}. {remedy}")


def check_tensors(path: Path, *, remedy: str) -> None:
    """Raise DamagedFileError when a file of this package is empty, cut off or damaged; its tensors are not made."""
    with path.open("rb") as file:
        problem = _problem(file, own=True)
    if problem is not None:
        raise DamagedFileError(f"{path} {problem}. {remedy}")


def require_tensors(weights: Any, path: Path, *, remedy: str) -> None:
    """Raise DamagedFileError unless a part of a file is tensors by name, none of which says it is larger than what is stored."""
    if not isinstance(weights, Mapping) or not all(isinstance(name, str) and _is_whole(value) for name, value in weights.items()):
        raise DamagedFileError(f"{path} has something else where its weights should be, tensors by name. {remedy}")


def _is_whole(value: Any) -> bool:
    # a tensor of a billion numbers may be one number with stride 0
    return isinstance(value, Tensor) and value.layout == torch.strided and value.nbytes <= value.untyped_storage().nbytes()


def require_finite(tensors: Mapping[str, Tensor], what: str) -> None:
    """Raise ValueError naming the first tensor that holds NaN or infinity."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            bad = int((~value.isfinite()).sum())
            raise ValueError(f"{what}: {bad} of the {value.numel()} numbers of {name} are NaN or infinite")


def reason_of(error: Exception) -> str:
    """Return why torch could not read a file, in a line without its advice to trust the file."""
    first = (str(error).strip().splitlines() or [""])[0]
    advises = isinstance(error, pickle.UnpicklingError) or "weights_only" in first
    found = re.search(r"(?:GLOBAL|global|class) ([\w.]*\w\.\w+)", str(error)) if advises else None
    told = found[1] if found else type(error).__name__ if advises or not first else first
    return f"expected tensors written by torch.save, without other objects; found {told}"


def _problem(file: IO[bytes], own: bool) -> str | None:
    """Say what is wrong with the bytes of a file, None when nothing is to be seen."""
    size = file.seek(0, 2)
    if size == 0:
        return "is empty"
    fits = holds(file)
    if fits is not None:
        return None if fits else "is damaged: its content does not fit its checksum"
    file.seek(0)
    if file.read(len(ZIP_START)) != ZIP_START:
        return "was not written by torch.save" if own else None  # an older format, which torch knows
    file.seek(max(0, size - ZIP_END_SIZE))
    end = file.read()
    if own and not (end.startswith(ZIP_END) and end.endswith(b"\0" * COMMENT_LENGTH)):
        return "is cut off, or damaged at its end"
    return None if _records_fit(file) else "is damaged: it is cut off, or its content does not fit its checksums"


def _records_fit(file: IO[bytes]) -> bool:
    """Return whether the records of an archive fit their CRC32s, which torch writes, unless told not to, and never looks at."""
    try:
        with zipfile.ZipFile(file) as archive:
            for record in archive.infolist():
                if record.CRC and record.compress_type == zipfile.ZIP_STORED:
                    with archive.open(record) as content:
                        while content.read(CHUNK):
                            pass
    except Exception:  # zipfile raises half a dozen types, too
        return False
    return True


def _num_bytes(content: Any) -> int:
    """Return the size of all tensors in nested containers, in bytes."""
    if isinstance(content, Tensor):
        return content.nbytes
    if isinstance(content, Mapping):
        return sum(_num_bytes(value) for value in content.values())
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return sum(_num_bytes(value) for value in content)
    return 0


class _Sealing:
    """Pass on what `torch.save` writes and count its CRC32; the archive's empty comment becomes the checksum.

    `error`: the first error of writing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.error: OSError | None = None
        self._file, self._crc = file, 0
        self._held = b""  # the last bytes, which say how long the comment is

    def write(self, data: memoryview) -> int:
        """Write all but the last two bytes."""
        if len(data) < COMMENT_LENGTH:
            everything = self._held + bytes(data)
            self._pass_on(everything[:-COMMENT_LENGTH])
            self._held = everything[-COMMENT_LENGTH:]
        else:
            self._pass_on(self._held)
            self._pass_on(data[:-COMMENT_LENGTH])
            self._held = bytes(data[-COMMENT_LENGTH:])
        return len(data)

    def flush(self) -> None:
        """Torch calls it at the end."""

    def finish(self) -> None:
        """Write the comment."""
        assert self._held == b"\0" * COMMENT_LENGTH, "torch.save ends with an archive's end"
        self._pass_on(NUM_BYTES.to_bytes(COMMENT_LENGTH, "little"))
        self._pass_on(LABEL)
        self._pass_on(ending(self._crc))

    def _pass_on(self, data: bytes | memoryview) -> None:
        self._crc = zlib.crc32(data, self._crc)
        try:
            self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
