"""Every command of README and documentation: composed and checked as far as it is before torch is imported; some are run."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from maskgit_lab.commands import shell
from maskgit_lab.commands.arguments import as_typed
from tests.support.commands import run
from tests.support.documents import ROOT, Shown, make_workplace, shown_commands

COMMANDS = shown_commands()
OURS = [shown for shown in COMMANDS if shown.module]
OTHERS = [shown for shown in COMMANDS if not shown.module]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# programs that are not ours
OTHER_PROGRAMS = ("git ", "cd ", "source ", "wandb ", "pip ", "export ", ".venv/bin/pre-commit")
# short enough to be run to their ends, with the run of the fixtures
RUN = (
    "inpaint run=runs/cosine/RUN images=photos masks=masks out=filled",
    "inpaint run=runs/cosine/RUN images=photos masks=masks out=four num_samples=4 decode.token_temperature=1.0",
    "report run=runs/cosine/RUN",
    "collect runs/sweeps/NAME/DATE",
)


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
    assert shown.module is not None
    if shown.module == "collect":
        assert (workplace / shown.arguments[0]).is_dir()
        return
    try:
        shell.register()
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
        target = line.split()[1]
        assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)
        assert all(re.search(rf"^{name} \?=", MAKEFILE, flags=re.MULTILINE) for name in re.findall(r"([A-Z]+)=", line))
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


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_documented_commands_run(command: str, workplace: Path, tmp_path: Path):
    assert any(f"python -m maskgit_lab.{command}" == shown.line for shown in OURS)
    module, *arguments = command.split()
    place = shutil.copytree(workplace, tmp_path / "place", ignore=shutil.ignore_patterns("filled", "DIR"))
    answer = run(module, *arguments, cwd=place, home=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    out = [text.partition("=")[2] for text in arguments if text.startswith("out=")]
    assert not out or len(list((place / out[0] / "composited").glob("*.png"))) in (3, 12)
