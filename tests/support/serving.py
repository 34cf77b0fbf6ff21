"""The command `app` for as long as a test asks it."""

import http.client
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.commands import TIMEOUT, start

ADDRESS = re.compile(r"^http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)$", re.MULTILINE)


class Served:
    """A command that serves."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status, self.said = 0, ""  # after its end

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@contextmanager
def serving(folder: Path, *arguments: str, number: signal.Signals = signal.SIGINT) -> Iterator[Served]:
    """Start the command in `folder`, wait for its address, and end it by a signal."""
    out, err = folder / "out.txt", folder / "err.txt"
    for path in (out, err):
        path.write_text("")
    command = start("app", "port=0", "device=cpu", *arguments, cwd=folder, home=folder / "home", out=out, err=err)
    deadline = time.monotonic() + TIMEOUT
    while not ADDRESS.search(out.read_text()) and command.send_signal(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    found = ADDRESS.search(out.read_text())
    assert found, out.read_text() + err.read_text()
    served = Served(int(found[1]))
    yield served
    command.send_signal(number)
    served.status, served.said = command.wait(), out.read_text() + err.read_text()
