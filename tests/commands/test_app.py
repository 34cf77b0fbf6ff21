"""The command `app`: one line with the address, the page of a run or the report of a sweep, a clean end, clear mistakes."""

import http.client
import json
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.commands import TIMEOUT, run, start
from tests.test_light_start import RUN

pytestmark = pytest.mark.slow
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
    """Start the command, wait for its address, and end it by a signal."""
    out, err = folder / "out", folder / "err"
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


def test_app_serves_a_run_until_ctrl_c_and_ends_cleanly(tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in RUN.rglob("*")}
    with serving(tmp_path, f"run={RUN}", "mask_schedule=square") as served:
        assert "Fill a hole" in served.get("/")[1]
        told = json.loads(served.get("/api/about")[1])
        assert (told["resolution"], told["defaults"]["schedule"]) == (64, "square")
        assert "mask_schedule:" in served.get("/report")[1]
        assert served.get("/", Host="evil.example")[0] == 403
    assert served.status == 0, served.said
    assert "Traceback" not in served.said
    assert {path: path.stat().st_mtime_ns for path in RUN.rglob("*")} == before


def test_app_shows_a_sweep_and_nothing_else(tmp_path: Path):
    sweep = tmp_path / "sweep"
    for job in ("0", "1"):
        shutil.copytree(RUN, sweep / job)
    with serving(tmp_path, f"run={sweep}", number=signal.SIGTERM) as served:
        status, text = served.get("/")
        assert status == 200
        assert "2 runs" in text
        for path in ("/0/config.yaml", "/api/about", "/static/main.js", "/../secret", "/%2e%2e/secret"):
            assert served.get(path)[0] == 404, path
    assert served.status == 0, served.said


def test_app_says_what_is_wrong_in_one_line(tmp_path: Path):
    for arguments, said in ((["run=."], "neither a run folder"), ([f"run={RUN}", "port=70000"], "port must be at least 0")):
        answer = run("app", *arguments, cwd=tmp_path, home=tmp_path)
        assert answer.returncode == 1
        assert said in answer.stderr
        assert "Traceback" not in answer.stderr
