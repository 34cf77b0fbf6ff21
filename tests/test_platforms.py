"""macOS and Windows as far as this machine can show: what they lack is not asked for, and what they refuse is not done."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import SMALL_RUN, run_module

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = ("darwin", "win32")

pytestmark = pytest.mark.slow

PLANTED = {
    "darwin": {
        "import os; os.sched_getaffinity(0)": "AttributeError",
        "open('/proc/self/stat')": "FileNotFoundError",
        "Path('/sys').stat()": "FileNotFoundError",
        "os.kill(os.getpid(), 0)": "",
    },
    "win32": {
        "import fcntl": "ModuleNotFoundError",
        "import signal; signal.SIGKILL": "AttributeError",
        "os.kill(os.getpid(), 0)": "AssertionError",
        "os.open('.', os.O_RDONLY)": "PermissionError",
        "file = Path('a').open('w'); Path('a').replace('b')": "PermissionError",
        "file = Path('a').open('w'); Path('a').unlink()": "PermissionError",
        "Path('a').touch(); Path('b').touch(); Path('a').rename('b')": "FileExistsError",
        "Path('c').touch(); Path('d').touch(); Path('c').replace('d'); Path('d').unlink()": "",
    },
}
TRY = """
import json, os
from pathlib import Path
Path("tried").mkdir()
os.chdir("tried")
found = {{}}
for code in {codes!r}:
    try:
        exec(code, {{"os": os, "Path": Path}})
        found[code] = ""
    except BaseException as error:
        found[code] = type(error).__name__
os.chdir("..")
Path("tried.json").write_text(json.dumps(found))
"""

EVERYTHING = """
import importlib, json, sys
from pathlib import Path
from tests.support.other_system import modules
for name in modules():
    if not name.endswith("__main__"):
        importlib.import_module(name)
import numpy as np
from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.machine.cores import usable_cores
from maskgit_lab.machine.freed_memory import keep_freed_memory
from maskgit_lab.machine.json_file import write_json
from maskgit_lab.machine.peak_memory import peak_memory_line
from maskgit_lab.runs.claim import require_idle, take
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import process
for value in (1, 2):
    write_json(Path("twice.json"), {"value": value})
cache = Path("cache.npy")
for _ in range(2):  # made, and made again where it is damaged
    made = cached_array(cache, shape=(3,), dtype=np.dtype(np.uint8), fill=lambda array: array.fill(7))
    assert made.tolist() == [7, 7, 7]
    del made
    cache.write_bytes(cache.read_bytes()[:-1])
folder = RunFolder(Path("run"))
assert take(folder) is False
refused = ""
try:
    require_idle(folder)
except ValueError as error:
    refused = str(error)
Path("found.json").write_text(json.dumps({
    "modules": len(modules()), "cores": usable_cores(), "kept": keep_freed_memory(), "peak": peak_memory_line(),
    "started": process()["started"], "refused": refused, "partials": [str(p) for p in Path().rglob("*.partial")],
}))
"""

COMMAND = """
import sys
for arguments in {arguments!r}:
    sys.argv = ["maskgit-train", *arguments]
    from maskgit_lab.train import main
    main()
"""


@dataclass(frozen=True)
class Claimed:
    """What a process did that found another system."""

    system: str
    folder: Path
    answer: subprocess.CompletedProcess[str]

    def read(self, name: str) -> dict[str, Any]:
        """Return what it wrote."""
        assert self.answer.returncode == 0, self.answer.stdout + self.answer.stderr
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module", params=[pytest.param(system, marks=pytest.mark.xdist_group(system)) for system in SYSTEMS])
def claimed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Claimed:
    system, folder = request.param, tmp_path_factory.mktemp(request.param)
    begun = ["experiment=cosine", "logger=csv", "hydra.run.dir=runs/one", *SMALL_RUN, "trainer.max_epochs=1"]
    arguments = [begun, ["resume=runs/one", "trainer.max_epochs=2"]]
    code = TRY.format(codes=list(PLANTED[system])) + EVERYTHING + COMMAND.format(arguments=arguments)
    answer = run_module("tests.support.other_system", system, code, cwd=folder, home=folder / "home", path=(ROOT,))
    return Claimed(system, folder, answer)


def test_other_system_refuses_what_the_system_does_and_nothing_else(claimed: Claimed):
    assert claimed.read("tried.json") == PLANTED[claimed.system]


def test_every_module_is_imported_and_files_are_written_there(claimed: Claimed):
    found = claimed.read("found.json")
    assert found["modules"] > 150
    assert found["cores"] >= 1
    assert (found["kept"], found["started"], found["partials"]) == (False, 0, [])
    assert "the run goes on already" in found["refused"]
    assert ("force=true" in found["refused"]) == (claimed.system == "win32")
    assert ("not locked" in claimed.answer.stderr) == (claimed.system == "win32")
    assert found["peak"].startswith("Peak memory: not told" if claimed.system == "win32" else "Peak memory: host")


def test_train_runs_from_end_to_end_and_goes_on_there(claimed: Claimed):
    result = claimed.read("runs/one/result.json")
    assert (result["status"], result["epochs"]) == ("completed", 2)
    assert not list(claimed.folder.rglob("*.partial"))
