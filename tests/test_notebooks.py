"""The notebooks run from top to bottom, show images, define nothing of their own, and carry no outputs in git."""

import ast
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from maskgit_lab.runs.config_file import write_config
from tests.conftest import Made
from tests.support.commands import environment, warm_children
from tests.support.warm import PYTHON

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def workplace(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and a sweep of two jobs, both the small run."""
    folder = tmp_path_factory.mktemp("notebooks")
    runs = folder / "runs"
    shutil.copytree(made.folder, runs / "cosine" / "a")
    for number, spot in enumerate(("3", "7")):
        job = runs / "sweeps" / "spots" / "a" / str(number)
        shutil.copytree(made.folder, job)
        checksum, _, config = (job / "config.yaml").read_text().partition("\n")
        write_config(job / "config.yaml", config.replace("sweet_spot: null", f"sweet_spot: {spot}"))
        assert checksum.startswith("# crc32")
    return folder


@pytest.fixture(scope="module")
def outputs(made: Made, workplace: Path) -> dict[str, list[Any]]:
    """The outputs of every notebook. One kernel, a fork of the warm process, runs them all; each begins with an empty namespace."""
    whole, parts = nbformat.v4.new_notebook(), {}
    for path in NOTEBOOKS:
        parts[path.stem] = nbformat.read(path, as_version=4).cells
        whole.cells += [nbformat.v4.new_code_cell("%reset -f"), *parts[path.stem]]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment(made.home) | {"JUPYTER_PLATFORM_DIRS": "1"}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "executable", warm_children()[PYTHON])
        place = {"metadata": {"path": str(workplace)}}
        NotebookClient(whole, timeout=120, kernel_name="python3", resources=place, allow_errors=True).execute()
    return {name: [output for cell in cells for output in cell.get("outputs", [])] for name, cells in parts.items()}


@pytest.mark.slow
@pytest.mark.xdist_group("small_run")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_show_images(path: Path, outputs: dict[str, list[Any]]):
    shown = [output for output in outputs[path.stem] if "image/png" in output.get("data", {})]
    assert len(shown) >= 3
    assert not [output for output in outputs[path.stem] if output.get("name") == "stderr"]
    assert not [output for output in outputs[path.stem] if output["output_type"] == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path: Path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_define_nothing_that_the_package_should_hold(path: Path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    nodes = [node for cell in cells for node in ast.walk(ast.parse("".join(cell["source"])))]
    assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    assert [n for n in nodes if isinstance(n, ast.ImportFrom) and str(n.module).startswith("maskgit_lab.")]


def test_notebooks_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["01_schedules", "02_decoding_step_by_step", "03_read_a_sweep"]
