"""Write a file whole or not at all: no reader sees half of it, and neither a kill nor a full disk takes the old one away."""

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskgit_lab.machine.file_lock import OPEN_FILES_ARE_FREE, lock
from maskgit_lab.machine.process_alive import process_alive

# what people can do something about: reason and remedy
REFUSALS = {
    errno.ENOSPC: ("the disk is full", "free some space there"),
    errno.EDQUOT: ("the disk quota is used up", "free some space there"),
    errno.EFBIG: ("the file is larger than a limit of this system allows", "raise the limit (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("permission is denied", "make it writable"),
    errno.EPERM: ("permission is denied", "make it writable"),
    errno.EIO: ("the device reports an error", "look at the device"),
}
ELSEWHERE = "or choose another folder (paths.runs, paths.cache, out)"
BLOCK = 512  # bytes, of `st_blocks`
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)  # of folders, on some network file systems
# NAME.PID-RANDOM.partial; earlier versions wrote NAME.PID.partial and held no lock
PARTIAL = re.compile(r".+\.(?P<process>\d+)(?P<locked>-[0-9a-f]{8})?\.partial")


class CannotWriteError(OSError):
    """A file could not be written, for a reason that people can mend; the message names the file and the remedy."""


@contextmanager
def whole_file(path: Path, *, needed: int | None = None) -> Iterator[Path]:
    """Replace a file in one step when all went well and is on the disk; else leave it as it was.

    Args:
        path: the file; its folder is made here. Partial files of processes that died there are removed.
        needed: bytes that are going to be written, for the message of a full disk.

    Yields:
        An empty file beside it to write to, another one each time, so that several may write the same file.

    Raises:
        CannotWriteError: when the disk is full, read-only or not permitted.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead_partials(path.parent)
        partial, descriptor = _begin(path)
    except OSError as error:
        raise _explained(error, path, needed=needed) from error
    written = 0
    try:
        try:
            yield partial
            os.fsync(descriptor)
        finally:
            written = _on_the_disk(descriptor)
            if not OPEN_FILES_ARE_FREE:
                os.close(descriptor)
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(partial):  # else it is about a file that was read meanwhile
            raise _explained(error, path, needed=needed, written=written) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
        if OPEN_FILES_ARE_FREE:
            os.close(descriptor)  # gives the lock back


def remove_dead_partials(folder: Path) -> None:
    """Remove the partial files of a folder whose writers have died: nobody holds their locks. Without locks they stay."""
    for path in folder.glob("*.partial"):
        match = PARTIAL.fullmatch(path.name)
        if match is None or (not match["locked"] and process_alive(int(match["process"]))):
            continue
        with contextlib.suppress(OSError):  # another process was faster, or the file system has no locks
            descriptor = os.open(path, os.O_RDWR)
            try:
                lock(descriptor)
                path.unlink()
            finally:
                os.close(descriptor)


def why_not_written(error: OSError) -> str | None:
    """Return what to tell people about an error of writing any file, None when it is of another kind."""
    if isinstance(error, CannotWriteError):
        return str(error)
    if error.errno not in REFUSALS:
        return None
    reason, remedy = REFUSALS[error.errno]
    return f"cannot write {error.filename or 'a file'}: {reason}; {remedy} {ELSEWHERE}"


def _begin(path: Path) -> tuple[Path, int]:
    """Make an empty file of a new name and lock it, as long as this process lives."""
    while True:
        partial = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.partial")
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            lock(descriptor)
        except BlockingIOError:  # another process has just taken it for a dead one's and removes it
            os.close(descriptor)
            continue
        except OSError:
            pass  # no locks here: then nobody removes it either
        if partial.exists():
            return partial, descriptor
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Write the new name to the disk; Windows opens no folder, and is not asked to."""
    if not OPEN_FILES_ARE_FREE:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def _explained(error: OSError, path: Path, *, needed: int | None, written: int = 0) -> OSError:
    """Return the error to raise: one message for people where they can do something about it.

    `written`: bytes of the partial file, which are free again after this.
    """
    if isinstance(error, CannotWriteError) or error.errno not in REFUSALS:
        return error
    reason, remedy = REFUSALS[error.errno]
    if error.errno in FULL:
        free = f"{_mebibytes(shutil.disk_usage(path.parent).free + written)} free"
        reason += f" ({free})" if needed is None else f" ({_mebibytes(needed)} needed beside the old file, {free})"
    told = CannotWriteError(f"cannot write {path}: {reason}; {remedy} {ELSEWHERE}. What was there before is untouched")
    told.errno = error.errno
    return told


def _on_the_disk(descriptor: int) -> int:
    """Return how many bytes of an open file are on the disk already."""
    found = os.fstat(descriptor)
    if sys.platform == "win32":
        return found.st_size
    return found.st_blocks * BLOCK


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
