"""The wheel: everything that the package needs is in it, and every command answers from it, away from the checkout."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from maskgit_lab.__main__ import COMMANDS
from tests.support.commands import environment

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed (pip install -e '.[dev]')")

ASK = """
import io, json, sys
from contextlib import redirect_stdout
from importlib import import_module
import maskgit_lab
from maskgit_lab.assembly.config import config_dir

said = {"package": maskgit_lab.__file__, "conf": config_dir()}
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    with redirect_stdout(io.StringIO()) as text:
        try:
            import_module(f"maskgit_lab.{name}").main()
        except SystemExit as end:
            assert not end.code, end.code
    said[name] = text.getvalue()
assert "torch" not in sys.modules
print(json.dumps(said))
"""


def scripts() -> dict[str, str]:
    """Return the function of every script by the script's name."""
    found: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.thorough
def test_wheel_holds_every_file_of_the_package_and_of_conf(wheel: Path):
    there = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT / "src") for path in (ROOT / "src" / "maskgit_lab").rglob("*") if path.is_file()}
    needed = {path.as_posix() for path in package if "__pycache__" not in path.parts}
    needed |= {f"maskgit_lab/conf/{path.relative_to(ROOT / 'conf').as_posix()}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert needed - there == set()
    assert not {name for name in there if name.startswith(("tests/", "docs/", "tools/", "benchmarks/"))}


@pytest.mark.thorough
def test_wheel_names_a_script_for_every_command(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(name).decode()
    assert {f"{script} = {target}" for script, target in scripts().items()} <= set(text.splitlines())
    assert set(scripts().values()) == {f"maskgit_lab.{command}:main" for command in COMMANDS}


@pytest.mark.thorough
def test_wheel_answers_for_every_command_away_from_the_checkout(wheel: Path, tmp_path: Path):
    place = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(place)  # as pip does, which would look for torch first
    answer = subprocess.run(
        [sys.executable, "-c", ASK, *COMMANDS], cwd=tmp_path, env={**environment(tmp_path), "PYTHONPATH": str(place)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert said["package"] == str(place / "maskgit_lab" / "__init__.py")
    assert said["conf"] == os.fspath(place / "maskgit_lab" / "conf")
    assert all(f"python -m maskgit_lab.{command}" in said[command] for command in COMMANDS)
