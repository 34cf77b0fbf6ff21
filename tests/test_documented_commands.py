"""Every command of README and documentation: composed and checked as far as it is before torch is imported.

`tests/test_documented_runs.py` runs them.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from maskgit_lab.commands import shell
from maskgit_lab.commands.arguments import as_typed
from tests.support.configs import compose_once
from tests.support.documents import ROOT, Shown, shown_commands
from tests.support.workplace import TRUSTED, make_workplace

COMMANDS = shown_commands()
OURS = [shown for shown in COMMANDS if shown.module]
OTHERS = [shown for shown in COMMANDS if not shown.module]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# programs that are not ours
OTHER_PROGRAMS = ("git ", "cd ", "source ", "wandb ", "pip ", "export ", ".venv/bin/pre-commit")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("workplace"))


def one_job(arguments: list[str]) -> list[str]:
    """Return what the first job of a sweep is told; searches (`interval(...)`) give no values to compose with."""
    if "-m" not in arguments:
        return arguments
    single = [text for text in arguments if text != "-m" and "(" not in text]
    return [text if "[" in text else text.split(",")[0] for text in single]


def test_documentation_shows_commands():
    assert len(OURS) > 50
    assert {shown.module for shown in OURS} >= {"train", "inpaint", "evaluate", "audit", "report", "collect", "train_decoder"}


@pytest.mark.parametrize("shown", OURS, ids=lambda shown: f"{shown.page}: {shown.line}")
def test_documented_commands_can_be_typed(shown: Shown, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(workplace)
    for name, value in TRUSTED.items():
        monkeypatch.setenv(name, value)
    compose_once(monkeypatch)
    assert shown.module is not None
    if shown.module == "collect":
        assert (workplace / shown.arguments[0]).is_dir()
        return
    try:
        shell.look_ahead(shown.module, shell.forced(as_typed(one_job(shown.arguments))))
    except SystemExit:
        pytest.fail(f"{shown.page} shows {shown.line}, which says: {capsys.readouterr().err.strip()}")


def test_documented_commands_would_be_noticed(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(workplace)
    for wrong in (["decode.num_step=3"], ["data=image_folder", "data.root=nowhere"], ["mask_schedule=cosin"]):
        shell.register()
        with pytest.raises(SystemExit):
            shell.look_ahead("train", as_typed(wrong))
    assert capsys.readouterr().err.count("error: ") == 3


@pytest.mark.parametrize("shown", OTHERS, ids=lambda shown: f"{shown.page}: {shown.line}")
def test_documented_commands_of_other_kinds_are_there(shown: Shown):
    line = re.sub(r"^(\w+=\S+ )+", "", shown.line)
    if line.startswith("make "):
        words = shlex.split(line)
        assert re.search(rf"^{words[1]}:", MAKEFILE, flags=re.MULTILINE)
        assert all(re.search(rf"^{name} \?=", MAKEFILE, flags=re.MULTILINE) for name in re.findall(r"([A-Z]+)=", line))
        if shutil.which("make"):
            recipe = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True, text=True).stdout
            programs = re.findall(r"python -m ([\w.]+)", recipe)
            # pip, where the environment is to be made first: old setuptools warn when it is looked for
            assert all(importlib.util.find_spec(program) for program in programs if program != "pip")
            assert all(word.partition("=")[2] in recipe for word in words[2:] if word != "WHOLE=1")
    elif line.startswith("python "):
        words = line.split()
        if words[1:3] == ["-m", "..."]:
            return
        name = words[2] if words[1] == "-m" else words[1].removesuffix(".py").replace("/", ".")
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        if name.partition(".")[0] in ("benchmarks", "tests", "tools"):
            folder = Path(spec.origin).parent
            source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
            assert all(f'"{flag}"' in source for flag in re.findall(r"(--[\w-]+)", line))
    else:
        assert line.startswith(OTHER_PROGRAMS), f"{shown.page} shows {shown.line}, which no test knows"
