"""The lowest versions are those of pyproject.toml, and nothing here needs a newer Python than its lowest."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.compat import PYPROJECT, lowest_of, lowest_python, lowest_requirements

ROOT = PYPROJECT.parent
PROJECT = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
NO_LOWER_BOUND = {"scipy"}  # bounded from above only, for a package that is pinned below

NEWER_CALL = "import itertools\n\nprint(list(itertools.batched([1, 2], 1)))\n"  # 3.12
NEWER_SYNTAX = "def first[T](items: list[T]) -> T:\n    return items[0]\n"  # 3.12


@pytest.mark.parametrize(
    ("text", "lowest"),
    [
        ("torch>=2.6,<2.15", "torch==2.6"),
        ("torchmetrics[image]>=1.6", "torchmetrics[image]==1.6"),
        ("a_b.c-d<3, >=1.0.2", "a_b.c-d==1.0.2"),
        ("exact==4", "exact==4"),
        ("scipy<1.18", "scipy<1.18"),
        ("anything", "anything"),
    ],
)
def test_lowest_of_takes_the_lower_bound_as_the_only_version(text: str, lowest: str):
    assert lowest_of(text) == lowest


@pytest.mark.parametrize("text", ["a>=1; python_version<'3.12'", "a @ https://x", "a>=1.*", "a>=1,>=2", "", ">=1", "a>=1rc1"])
def test_lowest_of_refuses_what_it_does_not_read(text: str):
    with pytest.raises(ValueError, match=r"^pyproject.toml: "):
        lowest_of(text)


def project(**changes: Any) -> dict[str, Any]:
    groups = {"dev": ["me[extra]", "c>=3"], "extra": ["b>=2"], "bench": ["d>=4"]}
    return {"name": "me", "requires-python": ">=3.11,<3.14", "dependencies": ["a>=1"], "optional-dependencies": groups, **changes}


def test_lowest_requirements_follow_groups_into_groups():
    assert lowest_requirements(project()) == ["a==1", "b==2", "c==3"]
    assert lowest_requirements(project(), "bench") == ["a==1", "d==4"]
    assert lowest_python(project()) == (3, 11)


def test_lowest_requirements_refuse_two_bounds_of_one_package():
    with pytest.raises(ValueError, match=r"a is required twice, as a==1 and a==2"):
        lowest_requirements(project(dependencies=["a>=1", "a>=2"]))


def test_lowest_requirements_of_this_project_are_allowed_by_it_and_all_there():
    """Against the library that pip uses."""
    groups = PROJECT["project"]["optional-dependencies"]
    texts = [*PROJECT["project"]["dependencies"], *(text for group in groups for text in groups[group] if group != "bench")]
    allowed = {r.name.lower(): r for r in map(Requirement, texts) if r.name != PROJECT["project"]["name"]}
    lowest = {r.name.lower(): r for r in map(Requirement, lowest_requirements(PROJECT["project"]))}
    assert lowest.keys() == allowed.keys()
    for name, requirement in lowest.items():
        if name in NO_LOWER_BOUND:
            continue
        (only,) = requirement.specifier
        assert only.operator == "=="
        assert Version(only.version) in allowed[name].specifier
        assert requirement.extras == allowed[name].extras
        assert not any(
            bound.operator == ">=" and Version(bound.version) != Version(only.version) for bound in allowed[name].specifier
        )


def test_lowest_python_is_what_the_tools_check_against():
    lowest = ".".join(map(str, lowest_python(PROJECT["project"])))
    assert PROJECT["tool"]["mypy"]["python_version"] == lowest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{lowest.replace('.', '')}"
    assert lowest in SpecifierSet(PROJECT["project"]["requires-python"])


@pytest.mark.thorough
@pytest.mark.parametrize(("text", "said"), [(NEWER_CALL, "[attr-defined]"), (NEWER_SYNTAX, "[syntax]")], ids=["call", "syntax"])
def test_mypy_as_configured_finds_what_the_lowest_python_lacks(text: str, said: str, tmp_path: Path):
    """So `make lint`, which runs it over every file, holds them to it on any Python."""
    planted = tmp_path / "planted.py"
    planted.write_text(text)
    command = [sys.executable, "-m", "mypy", "--config-file", str(PYPROJECT), f"--cache-dir={tmp_path / 'cache'}", str(planted)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert said in answer.stdout


@pytest.mark.skipif(sys.version_info[:2] == lowest_python(PROJECT["project"]), reason="this is the lowest Python")
def test_compat_refuses_another_python():
    answer = subprocess.run([sys.executable, str(ROOT / "tests/compat.py")], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "the lowest Python is 3.11" in answer.stderr
