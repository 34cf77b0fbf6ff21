"""`make browser` where there is no browser: one line, no waiting, and the rest goes on; tests then say why they are skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.browser import chromium

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = "no chromium: browser tests are skipped"
NO_AXE = "no axe-core: browser tests leave its rules out"
SECONDS = 20  # far longer than it takes
# says what it is asked, takes what somebody types, and fails or does something
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
read answer && exit 3
{act}
"""


class Machine:
    """A PATH of our own: make, sh, a few tools, and programs that only pretend."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.log = folder / "work", folder / "bin", folder / "log"
        for made in (self.folder, self.programs):
            made.mkdir()
        for name in ("make", "sh", "test", "sleep", "basename", "touch", "mkdir"):
            if found := shutil.which(name):
                (self.programs / name).symlink_to(found)
        self.fake("timeout", 'test "$1" = -k || exit 4; shift 3; exec "$@"')

    def fake(self, name: str, act: str) -> None:
        path = self.programs / name
        text = FAKE if name != "timeout" else FAKE.replace("read answer && exit 3\n", "")
        path.write_text(text.format(log=self.log, act=act))
        path.chmod(0o755)

    def browser(self) -> list[str]:
        """Run the recipe, with a terminal that has something to say; return its lines."""
        command = ["make", "-f", str(ROOT / "Makefile"), "-C", str(self.folder), "--no-print-directory", "browser"]
        done = subprocess.run(
            command, input="yes\n", env={"PATH": str(self.programs)}, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.splitlines()

    def asked(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        return [line for line in lines if not line.startswith("timeout")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if shutil.which("make") is None:
        pytest.skip("no make here")
    return Machine(tmp_path)


def test_browser_recipe_says_in_one_line_that_tests_are_skipped(machine: Machine):
    assert machine.browser() == [SKIPPED]  # no apt-get
    machine.fake("apt-get", "exit 100")
    assert machine.browser() == [SKIPPED]  # no network, or no rights
    assert [line.split()[:3] for line in machine.asked()] == [["apt-get", "-qq", "update"]]
    machine.fake("apt-get", "exit 0")
    assert machine.browser() == [SKIPPED]  # it says that it has installed something, and nothing is there
    assert machine.asked()[-1].endswith("install --yes --no-install-recommends chromium")
    bounds = [line.split() for line in machine.log.read_text().splitlines() if line.startswith("timeout")]
    assert all(line[:3] == ["timeout", "-k", "10"] and float(line[3]) <= 240 for line in bounds)
    assert len(bounds) == 4  # of the first, which had no apt-get, too


def test_browser_recipe_takes_what_apt_installs_and_says_what_npm_does_not(machine: Machine):
    (machine.programs / "chmod").symlink_to(str(shutil.which("chmod")))
    machine.fake("apt-get", f"touch {machine.programs}/chromium; chmod +x {machine.programs}/chromium")
    machine.fake("npm", "exit 1")
    assert machine.browser() == [NO_AXE]
    machine.fake("npm", "mkdir -p node_modules/axe-core; touch node_modules/axe-core/axe.min.js")
    assert machine.browser() == []
    asked = machine.asked()
    assert machine.browser() == []
    assert machine.asked() == asked  # everything is there: nobody is asked again


@pytest.mark.parametrize("name", ["chromium-browser", "google-chrome"])
def test_browser_recipe_asks_nobody_where_a_browser_of_another_name_is(machine: Machine, name: str):
    machine.fake(name, "exit 0")
    machine.fake("apt-get", "exit 100")
    machine.fake("npm", "exit 1")
    assert machine.browser() == [NO_AXE]
    assert not any(line.startswith("apt-get") for line in machine.asked())


def test_browser_tests_are_skipped_with_a_reason_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="no chromium here: `make browser` installs it"), chromium():
        pytest.fail("there is no browser")
