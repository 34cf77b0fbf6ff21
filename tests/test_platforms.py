"""macOS and Windows as far as this machine can show: what they lack is not asked for, and what they refuse is not done."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import SMALL_RUN, environment

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = ("darwin", "win32")

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
found = {{}}
for code in {codes!r}:
    try:
        exec(code, {{"os": os, "Path": Path}})
        found[code] = ""
    except BaseException as error:
        found[code] = type(error).__name__
print(json.dumps(found))
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
print(json.dumps({
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


def claimed(system: str, code: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that finds another system."""
    known = {**environment(where / "home"), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-m", "tests.support.other_system", system, code]
    return subprocess.run(command, cwd=where, env=known, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_other_system_refuses_what_the_system_does_and_nothing_else(tmp_path: Path, system: str):
    answer = claimed(system, TRY.format(codes=list(PLANTED[system])), tmp_path)
    assert json.loads(answer.stdout) == PLANTED[system], answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_is_imported_and_files_are_written_there(tmp_path: Path, system: str):
    answer = claimed(system, EVERYTHING, tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["modules"] > 150
    assert found["cores"] >= 1
    assert (found["kept"], found["started"], found["partials"]) == (False, 0, [])
    assert "the run goes on already" in found["refused"]
    assert ("force=true" in found["refused"]) == (system == "win32")
    assert ("not locked" in answer.stderr) == (system == "win32")
    assert found["peak"].startswith("Peak memory: not told" if system == "win32" else "Peak memory: host")


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_train_runs_from_end_to_end_and_goes_on_there(tmp_path: Path, system: str):
    run = tmp_path / "runs" / "one"
    begun = ["experiment=cosine", "logger=csv", f"hydra.run.dir={run}", *SMALL_RUN, "trainer.max_epochs=1"]
    again = [f"resume={run}", "trainer.max_epochs=2"]
    answer = claimed(system, COMMAND.format(arguments=[begun, again]), tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    result = json.loads((run / "result.json").read_text())
    assert (result["status"], result["epochs"]) == ("completed", 2)
    assert not list(tmp_path.rglob("*.partial"))


def errors_of_mypy(system: str, cache: Path) -> set[str]:
    """Return what mypy says of the package on a system; other packages are not looked into, which is what takes its time."""
    flags = ["--follow-imports=skip", "--no-warn-unused-ignores", "--no-error-summary", f"--cache-dir={cache}"]
    command = [sys.executable, "-m", "mypy", "--platform", system, *flags, "src/maskgit_lab"]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines())


@pytest.mark.slow
def test_package_names_nothing_of_the_standard_library_that_other_systems_lack(tmp_path: Path):
    here = errors_of_mypy("linux", tmp_path)
    assert not any("syntax" in line or "No module named" in line for line in here)
    for system in SYSTEMS:
        assert errors_of_mypy(system, tmp_path) - here == set(), system
