"""Claim another operating system: what macOS or Windows lacks is gone, and what they refuse is refused.

For a process of its own, `python -m tests.support.other_system win32 CODE`: nothing of it can be taken back. Other packages (torch,
Lightning) were imported before, and go on with what they knew; this one is imported again, on the system that is claimed. It shows
what this package asks of the system, not what torch or a file system do there.
"""

import builtins
import errno
import importlib
import io
import os
import pathlib
import pkgutil
import platform
import shutil
import signal
import sys
import types
from collections.abc import Callable
from typing import Any

# of Python's documentation, "Availability"; names that Python 3.11 to 3.13 do not have are passed over
NOT_ON_MACOS = (
    "eventfd", "fdatasync", "getrandom", "memfd_create", "posix_fadvise", "posix_fallocate", "sched_getaffinity",
    "sched_setaffinity", "sched_getscheduler", "setns", "splice", "unshare", "O_DIRECT", "O_NOATIME", "O_PATH", "O_TMPFILE",
)  # fmt: skip
NOT_ON_WINDOWS = (
    *NOT_ON_MACOS, "chown", "chroot", "confstr", "fchdir", "fchmod", "fchown", "fork", "forkpty", "fpathconf", "fstatvfs",
    "getegid", "geteuid", "getgid", "getgrouplist", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority", "getresuid",
    "getsid", "getuid", "initgroups", "killpg", "lchown", "lockf", "major", "mkfifo", "mknod", "nice", "openpty", "pathconf",
    "posix_spawn", "pread", "preadv", "pwrite", "pwritev", "readv", "register_at_fork", "sched_yield", "sendfile", "setegid",
    "seteuid", "setgid", "setpgid", "setpriority", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp", "ttyname",
    "uname", "wait", "wait3", "wait4", "waitid", "writev", "WEXITSTATUS", "WIFEXITED", "WIFSIGNALED", "WNOHANG", "WTERMSIG",
    "O_ASYNC", "O_CLOEXEC", "O_DIRECTORY", "O_DSYNC", "O_NDELAY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC",
)  # fmt: skip
SIGNALS_OF_WINDOWS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")
NOT_SIGNAL = (
    "alarm", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt", "sigpending", "sigtimedwait",
    "sigwait", "sigwaitinfo",
)  # fmt: skip
MODULES_NOT_ON_WINDOWS = ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
KERNELS_FOLDERS = ("/proc", "/sys")  # Linux tells of itself there
PACKAGE = "maskgit_lab"


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    package = importlib.import_module(PACKAGE)
    return sorted(found.name for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."))


def claim(system: str) -> None:
    """Turn this process into one that finds `system`, darwin or win32; the package is forgotten, and imported anew by the next."""
    for name in modules():
        if not name.endswith("__main__"):
            importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    _let_others_keep(os, signal)
    sys.platform = system
    platform.libc_ver = lambda *_, **__: ("", "")
    for name in NOT_ON_WINDOWS if system == "win32" else NOT_ON_MACOS:
        if hasattr(os, name):
            delattr(os, name)
    hidden = _without(KERNELS_FOLDERS)
    io.open = builtins.open = hidden(io.open)
    if system == "win32":
        _take_windows_habits(hidden)
    else:
        os.stat, os.open = hidden(os.stat), hidden(os.open)


def _let_others_keep(*theirs: types.ModuleType) -> None:
    """Let foreign modules, which were imported as this system's, go on with what they know; pathlib acts for the package."""
    for one in theirs:
        kept = types.ModuleType(one.__name__)
        kept.__dict__.update(one.__dict__)
        for module in [module for module in sys.modules.values() if module is not None]:
            names = vars(module)
            if names is not globals() and not _of_pathlib(module) and names.get(one.__name__) is one:
                names[one.__name__] = kept


def _of_pathlib(module: types.ModuleType) -> bool:
    """Return whether a module is pathlib, which is a package from Python 3.13 on."""
    return module.__name__.partition(".")[0] == "pathlib"


def _without(folders: tuple[str, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what hides folders from a call of the system."""

    def hidden(call: Callable[..., Any]) -> Callable[..., Any]:
        def hiding(path: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(path, int) and str(os.fspath(path)).startswith(folders):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            return call(path, *args, **kwargs)

        return hiding

    return hidden


def _take_windows_habits(hidden: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    for name in MODULES_NOT_ON_WINDOWS:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in [name for name in dir(signal) if name.startswith("SIG") and not name.startswith("SIG_")]:
        if name not in SIGNALS_OF_WINDOWS:
            delattr(signal, name)
    for name in NOT_SIGNAL:
        if hasattr(signal, name):
            delattr(signal, name)
    if hasattr(shutil, "_winapi"):  # None elsewhere; from Python 3.12 on shutil.which asks it whether the current folder counts
        shutil._winapi = types.SimpleNamespace(NeedCurrentDirectoryForExePath=lambda command: True)
    listed, linked, opened, stat = os.listdir, os.readlink, os.open, os.stat

    def in_use(path: Any) -> bool:
        """Return whether this process has a file open or mapped."""
        there = os.path.realpath(os.fspath(path))
        held = set()
        for number in listed("/proc/self/fd"):
            try:
                held.add(linked(f"/proc/self/fd/{number}"))
            except OSError:  # the one of the list itself
                continue
        return there in held

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def refused(path: Any, *others: Any, **kwargs: Any) -> Any:
            if any(in_use(name) for name in (path, *others[:1]) if isinstance(name, str | os.PathLike)):
                raise PermissionError(errno.EACCES, "the file is being used by another process", str(path))
            return call(path, *others, **kwargs)

        return refused

    def open_no_folder(path: Any, *args: Any, **kwargs: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    def kill(number: int, which: int) -> None:
        raise AssertionError(f"signal {which} to process {number}: on Windows 0 is Ctrl-C, and any other ends it")

    renamed = os.rename

    def rename(source: Any, target: Any, **kwargs: Any) -> None:
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", str(target))
        renamed(source, target, **kwargs)

    os.stat, os.open, os.kill = hidden(stat), hidden(open_no_folder), kill
    os.rename, os.replace, os.unlink, os.remove = refusing(rename), refusing(os.replace), refusing(os.unlink), refusing(os.remove)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path.cwd()))
    claim(sys.argv[1])
    exec(compile(sys.argv[2], "<claimed>", "exec"), {"__name__": "claimed"})
