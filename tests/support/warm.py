"""Commands without the wait for their imports: a process that has torch, Lightning and this package loaded forks itself for each.

A fresh interpreter spends six seconds of a processor on imports, most of what a small run takes. The forked process is otherwise
the same: its own working directory, environment, arguments, output and exit status, and `python -m`'s way of running a module.
One such process serves all test processes through a socket, and is where they come from; it ends with the one that started it.
"""

import atexit
import contextlib
import fcntl
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

PRELOADED = (
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
    "torchmetrics.image",
    "torchvision",
    "scipy.signal",
    "wandb.sdk.launch.inputs.internal",
    "hydra.main",
    "hydra._internal.hydra",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher",
    "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher",
    "matplotlib.backends.backend_agg",
    "requests",
    "maskgit_lab.commands.train",
    "maskgit_lab.commands.inpaint",
    "maskgit_lab.commands.evaluate",
)
CHANGES = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate")  # audit events of changes to files
# environment variables
ADDRESS = "WARM_PROCESS_SOCKET"  # where it listens
PYTHON = "WARM_PYTHON"  # what a command and those that it starts find as `sys.executable`
WITHOUT_FIGURES = "TRAINED_WITHOUT_FIGURES"  # whether `train` draws none when it ends


class WarmProcess:
    """The process that forks, for as long as the tests run.

    Args:
        folder: where its socket lies.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "tmp").mkdir()
        address = folder / "socket"
        os.environ[ADDRESS] = str(address)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(address))
        listener.listen(64)  # before the imports: whoever comes early waits
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno())], stdin=subprocess.PIPE, pass_fds=[listener.fileno()],
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "tmp")},
        )  # fmt: skip
        listener.close()
        for name in ("python", "test_process"):
            path = folder / name
            path.write_text(f"#!{sys.executable} -SE\n{Path(__file__).with_name('warm_python.py').read_text()}")
            path.chmod(0o755)

    def end(self) -> None:
        """Stop it, were it still at its imports."""
        with self._process as process:
            process.terminate()


class WarmCommand:
    """One command, `python -m MODULE ARGUMENTS`, in a process of its own.

    Args:
        request: module, arguments, cwd, env, files for stdout and stderr, timeout in seconds after which it is killed; with
            `dies`, a number and a folder, it is killed before it changes the so manieth file there; with `path`, a list, modules
            are found in these folders too.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ[ADDRESS])
            self._lines = connection.makefile("rw")
        print("", json.dumps(request), sep="\n", file=self._lines, flush=True)
        self._pid = int(self._lines.readline())

    def send_signal(self, number: int) -> bool:
        """Send a signal, 0 for none, and return whether the command still ran."""
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self) -> int:
        """Return the exit status, negative for a signal, when it has ended."""
        with self._lines as lines:
            return int(lines.readline())


def serve(listener: socket.socket) -> None:
    """Fork for every connection until standard input ends."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"maskgit_lab")  # as pytest does where it imports them
        for name in PRELOADED:
            __import__(name)
    gc.freeze()  # or every process that is forked would look through, and so copy, all of what was imported
    signal.signal(signal.SIGTERM, leave)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        reap()
        if os.fork() == 0:
            listener.close()
            answer(connection)
        connection.close()


def leave(*_: object) -> Never:
    reap()
    os._exit(0)


def reap() -> None:
    """Take leave of those that have answered; `time make test` then counts what their commands took."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(connection: socket.socket) -> Never:
    """Run the command of one request in a process of its own and send its exit status; or be that process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _, files, *_ = socket.recv_fds(connection, 1, 64)  # the first byte comes with them
    lines = connection.makefile("rw")
    request = json.loads(lines.readline())
    child = os.fork()
    if child == 0:
        lines.close()
        connection.close()
        take_files(files, request.get("files", []))
        become(request)
    for number in files:
        os.close(number)
    print(child, file=lines, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), file=lines, flush=True)
    os._exit(0)


def take_files(files: list[int], numbers: list[int]) -> None:
    """Have the files of whoever asks under the numbers that they have there."""
    aside = [fcntl.fcntl(file, fcntl.F_DUPFD, max(*files, *numbers) + 1) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(aside, numbers, strict=True):
        os.dup2(file, number, inheritable=True)
        os.close(file)


def become(request: dict[str, Any]) -> Never:
    """Turn this process into the command; it ends as `python -m` would, but for taking all modules apart, which takes a second."""
    if "stdout" in request:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.executable = os.environ.get(PYTHON, sys.executable)
    if WITHOUT_FIGURES in os.environ:
        sys.modules["maskgit_lab.commands.train"].draw_run = lambda *_, **__: []  # type: ignore[attr-defined]
    tempfile.tempdir = None  # not the parent's
    # wandb makes its folder for media when it is imported and removes it at exit: this one is the parent's
    media = sys.modules["wandb.sdk.data_types._private"].MEDIA_TMP
    media._finalizer.detach()
    atexit.unregister(media.cleanup)
    os.chdir(request["cwd"])
    signal.alarm(request["timeout"])
    if "dies" in request:
        sys.addaudithook(killed_at(*request["dies"]))
    sys.path[0:1] = [request["cwd"], *request.get("path", [])]
    sys.argv = [request.get("module", "-c"), *request["arguments"]]
    status = 0
    try:
        if "code" in request:
            exec(request["code"], {"__name__": "__main__"})
        else:
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def killed_at(number: int, folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that kills the process before it makes, renames or removes the so manieth file below a folder."""
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in CHANGES or (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if changes and any(isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder) for path in arguments):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    serve(socket.socket(fileno=int(sys.argv[1])))
