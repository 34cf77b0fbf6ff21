"""One small run of the whole package, made once for all tests that look at it; tests run in processes side by side."""

import csv
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the processes share the cores

from tests.support.commands import CACHE, SMALL_RUN, run_cold
from tests.support.warm import ADDRESS, WarmProcess

ROOT = Path(__file__).resolve().parents[1]
THERE = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the process that runs commands, once for all test processes; one that a test starts finds it there."""
    if ADDRESS not in os.environ and not config.option.collectonly:
        config.stash[THERE] = untracked()
        folder = tempfile.TemporaryDirectory(prefix="warm")
        os.environ[CACHE] = str(Path(folder.name) / "cache")
        warm = WarmProcess(Path(folder.name))
        if sys.platform == "linux":  # the test processes are its forks too: each would wait for the imports of torch and Lightning
            config.option.tx = [f"popen//python={folder.name}/test_process" for _ in config.getoption("tx", None) or []]
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(warm.end)


def untracked() -> set[str]:
    """Return what lies at the top of the checkout and is neither tracked nor ignored; nothing where this is not one."""
    command = ["git", "status", "--porcelain", "--untracked-files=normal"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = {line.removeprefix("?? ") for line in answer.stdout.splitlines() if line.startswith("?? ")}
    return {name for name in names if "/" not in name.removesuffix("/")}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where tests left something in the checkout, which the next commit would take along."""
    there = session.config.stash.get(THERE, None)
    left = set() if there is None else untracked() - there
    if left:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.write_line(f"\nleft in the checkout, by a test or beside it: {', '.join(sorted(left))}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones: whole commands at the end would keep one process busy while the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where tests of a group would be scattered, and each process make their fixtures again."""
    if hasattr(session.config, "workerinput"):
        grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
        assert all("@" in item.nodeid for item in grouped), "this pytest-xdist does not know this pytest's node ids"
    gc.freeze()  # or every full collection would look through torch, Lightning and all tests again


REAL_CATS = ROOT.parent / "shared" / "data" / "make_cat_faces.py"


@pytest.fixture(scope="session")
def real_cats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lab's folder of real cats; tests that take it belong to the group `real_cats`."""
    if not REAL_CATS.is_file():
        pytest.skip("the real cat faces are not at hand (../shared/data)")
    folder = tmp_path_factory.mktemp("real") / "cats"
    subprocess.run([sys.executable, str(REAL_CATS), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def real_cats_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose cache holds the decoded real cats after the first test that reads them."""
    return tmp_path_factory.mktemp("real_home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a file system of 2 MiB, which only root can make."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no small file system: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@dataclass(frozen=True)
class Made:
    """What the run left, and where it ran."""

    cwd: Path
    home: Path
    folder: Path
    answer: subprocess.CompletedProcess[str]

    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "result.json").read_text())

    def metrics(self) -> list[dict[str, str]]:
        with (self.folder / "metrics.csv").open() as file:
            return list(csv.DictReader(file))

    def epochs(self) -> set[int]:
        return {int(float(row["epoch"])) for row in self.metrics() if row["epoch"]}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    cwd, home = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("home")
    # in an interpreter of its own: what imports print is looked at too
    answer = run_cold("train", "experiment=cosine", *SMALL_RUN, cwd=cwd, home=home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (folder,) = (cwd / "runs" / "cosine").iterdir()
    return Made(cwd, home, folder, answer)
