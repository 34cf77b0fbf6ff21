"""Two processes that want the same file: one makes it, the other waits and finds it."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.data import only_one as module
from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.only_one import only_one

MAKE = """
import sys, time, numpy as np
from pathlib import Path
from maskgit_lab.data.array_cache import cached_array
folder = Path(sys.argv[1])
def fill(out):
    with (folder / "made").open("a") as file:
        file.write("once\\n")
    out[:] = 3
    print("making", flush=True)
    sys.stdin.readline()
print(cached_array(folder / "a.npy", shape=(2,), dtype=np.dtype(np.int64), fill=fill).tolist())
"""


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a process that asks for a file, and wait until it makes it."""
    process = subprocess.Popen([sys.executable, "-c", MAKE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "making\n"
    return process


def test_only_one_of_two_processes_makes_a_file(tmp_path: Path):
    first = start(tmp_path)
    second = subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    outputs = [first.communicate("go on\n", timeout=60)[0], second.communicate(timeout=60)[0]]
    assert outputs == ["[3, 3]\n"] * 2
    assert (tmp_path / "made").read_text() == "once\n"


def test_only_one_frees_the_lock_of_a_process_that_was_killed(tmp_path: Path):
    process = start(tmp_path)
    process.kill()
    process.communicate()
    array = cached_array(tmp_path / "a.npy", shape=(2,), dtype=np.dtype(np.int64), fill=lambda out: out.fill(5))
    assert array.tolist() == [5, 5]


def test_only_one_says_what_a_long_wait_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    process = start(tmp_path)
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        threading.Timer(0.3, process.kill).start()
        with only_one(tmp_path / "a.npy"):
            assert f"Waiting for another process that is making {tmp_path / 'a.npy'}" in caplog.text
    process.communicate()


def test_only_one_says_nothing_of_a_short_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="maskgit_lab"), only_one(tmp_path / "deep" / "a.npy"):
        pass
    assert caplog.text == ""
