"""Commands without the wait for their imports: a process that has torch and Lightning loaded forks itself for every command.

A fresh interpreter spends six seconds of a processor on imports, most of what a small run takes. The forked process is otherwise
the same: its own working directory, environment, arguments, output and exit status, and `python -m`'s way of running a module.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PRELOADED = (
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
    "torchmetrics.image",
    "torchvision",
    "scipy.signal",
)


class WarmProcess:
    """The process that forks; one per test process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, request: dict[str, Any]) -> int:
        """Run one command to its end and return its exit status, negative for a signal."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    """Fork for every line on standard input; answer with an exit status."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print is no answer
    for name in PRELOADED:
        __import__(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            become(request)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def become(request: dict[str, Any]) -> None:
    """Turn this process into the command; it ends as `python -m` would."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    signal.alarm(request["timeout"])
    sys.path[0] = request["cwd"]
    module = f"maskgit_lab.{request['module']}"
    sys.argv = [module, *request["arguments"]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    serve()
