"""The lowest versions that pyproject.toml allows, as pip takes them: `python tests/compat.py` prints one requirement a line.

Derived from pyproject.toml, which is the one list. What has no lower bound there is left to pip. Standard library only: it runs
before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
GROUP = "dev"  # what the tests need
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<extras>\[[a-z0-9,_-]+\])?(?P<bounds>[<>=!~][^;]*)?")
BOUND = re.compile(r"(?P<sign>[<>=!~]=?)(?P<version>[0-9][0-9.]*)")


def lowest_requirements(project: dict[str, Any], group: str = GROUP) -> list[str]:
    """Return what to install for the lowest versions.

    Args:
        project: the table `project` of a pyproject.toml.
        group: of its optional dependencies; groups that this one names are followed.

    Returns:
        Requirements of pip, such as `torch==2.6`, sorted; what has no lower bound as it is written.

    Raises:
        ValueError: when a requirement is of a form that is not read here, or two of one package differ.
    """
    found: dict[str, str] = {}
    for text in [*project["dependencies"], *_of_group(project, group)]:
        lowest = lowest_of(text)
        name = text[: REQUIREMENT.match(text).end("name")].lower()  # type: ignore[union-attr]
        if found.setdefault(name, lowest) != lowest:
            raise ValueError(f"pyproject.toml: {name} is required twice, as {found[name]} and {lowest}")
    return sorted(found.values())


def lowest_of(text: str) -> str:
    """Return a requirement with its lower bound as the only version: `a[b]>=1.2,<2` becomes `a[b]==1.2`."""
    match = REQUIREMENT.fullmatch(text)
    bounds = [BOUND.fullmatch(bound.strip()) for bound in (match["bounds"] or "").split(",") if bound] if match else [None]
    if match is None or None in bounds:
        raise ValueError(f"pyproject.toml: {text!r} is not read here: a name, [extras], and bounds such as >=1.2,<2")
    lower = [bound["version"] for bound in bounds if bound and bound["sign"] in (">=", "==", "~=")]
    if len(lower) > 1:
        raise ValueError(f"pyproject.toml: {text!r} has {len(lower)} lower bounds")
    return f"{match['name']}{match['extras'] or ''}=={lower[0]}" if lower else text


def lowest_python(project: dict[str, Any]) -> tuple[int, int]:
    """Return the lowest Python, as (major, minor)."""
    major, minor = lowest_of(f"python{project['requires-python']}").partition("==")[2].split(".")
    return int(major), int(minor)


def _of_group(project: dict[str, Any], group: str) -> list[str]:
    own = f"{project['name']}["
    found: list[str] = []
    for text in project["optional-dependencies"][group]:
        if text.startswith(own):
            for other in text.removeprefix(own).removesuffix("]").split(","):
                found += _of_group(project, other)
        else:
            found.append(text)
    return found


def main() -> None:
    """Print the requirements; refuse a newer Python than the lowest."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    lowest = lowest_python(project)
    if sys.version_info[:2] != lowest:
        sys.exit("the lowest Python is {}.{}, this is {}.{} (make compat PYTHON=...)".format(*lowest, *sys.version_info[:2]))
    print("\n".join(lowest_requirements(project)))


if __name__ == "__main__":
    main()
