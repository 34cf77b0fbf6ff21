"""docs/reliability.md names the tests that hold its promises: they exist."""

import ast
import re
from pathlib import Path

from tests.faults.kinds import KINDS

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_reliability_names_tests_that_exist():
    there = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named <= there, sorted(named - there)


def test_reliability_names_faults_that_are_done():
    there = {fault.name for faults in KINDS.values() for fault in faults}
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    named = set(re.findall(r"\*([^*]+)\*", "\n".join(rows)))
    assert len(named) > 30
    assert named <= there, sorted(named - there)


def test_reliability_describes_every_kind():
    described = re.findall(r"^\| (\w+) \| .* \| .* \|$", PAGE, re.M)
    assert set(KINDS) <= set(described)
