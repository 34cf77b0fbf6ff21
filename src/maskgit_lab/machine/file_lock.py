"""Locks of open files and folders, where the system has them: it gives them back when their process ends, however it ends."""

import errno
import sys

if sys.platform != "win32":
    import fcntl

# Windows has no flock, opens no folders, and neither renames nor removes a file that is open
OPEN_FILES_ARE_FREE = sys.platform != "win32"


def lock(descriptor: int) -> None:
    """Lock an open file or folder until it is closed.

    Args:
        descriptor: of a file opened for writing, or of a folder.

    Raises:
        BlockingIOError: when another process holds the lock.
        OSError: where the system or the file system has no locks.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        raise OSError(errno.ENOTSUP, "this system has no flock")
