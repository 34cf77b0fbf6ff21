"""One small run of the whole package, made once for all tests that look at it; tests run in processes side by side."""

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the processes share the cores

from tests.commands import SMALL_RUN, run_cold


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones: whole commands at the end would keep one process busy while the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


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
