"""Every command of README and documentation is run to its end, small, and what it leaves is looked at: `make commands`.

A dozen, which have every command of this package once, run with all other tests.
"""

import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import TIMEOUT, environment, run, run_module
from tests.support.documents import ROOT, Shown, shown_commands
from tests.support.looked_at import look_at
from tests.support.made_small import BENCHMARKS, INCEPTION_2015, NOT_RUN, ROWS, made_small
from tests.support.serving import serving
from tests.support.workplace import TAKES_ANY, TRUSTED, WEIGHTS, make_weights, make_workplace

pytestmark = pytest.mark.slow

SAME_RUN = re.compile(r"runs/(cosine|default)/(RUN|2026-01-31_12-00-00)")
DIRECT = re.compile(r"python -m maskgit_lab\.(?!app )")
DEMO = "python -m maskgit_lab.train experiment=cosine"
# with all other tests; those left out are marked `documented`
ALWAYS = (
    "train_tokenizer tokenizer=patch_small data=image_folder data.root=photos",
    "train_decoder run=runs/cosine/RUN",
    "inpaint run=runs/cosine/RUN images=photos masks=masks out=filled",
    "inpaint run=runs/cosine/RUN images=photos masks=masks out=four num_samples=4 decode.token_temperature=1.0",
    "inpaint run=runs/cosine/RUN images=cut_out.png mask_hole=alpha out=whole",
    "evaluate --config-dir conf run=runs/cosine/RUN schedules=[cosine,bend]",
    "audit data=cat_faces data.root=DIR",
    "collect runs/sweeps/NAME/DATE",
    "report run=runs/cosine/RUN",
    "app run=runs/cosine/RUN",
)


def distinct(pattern: re.Pattern[str]) -> list:
    """Return the commands whose lines match; those that are the same when made small, but for a name, once."""
    found: dict[frozenset[str], Shown] = {}
    always = {f"python -m maskgit_lab.{text}" for text in ALWAYS}
    for shown in sorted(shown_commands(), key=lambda shown: shown.line not in always):
        if pattern.match(shown.line) and shown.line not in NOT_RUN:
            words = made_small(SAME_RUN.sub("RUN", shown.line))
            found.setdefault(frozenset(word for word in words if not word.startswith(("name=", "out="))), shown)
    return [
        pytest.param(shown, marks=() if shown.line in always else pytest.mark.documented, id=f"{shown.page}: {shown.line}")
        for shown in found.values()
    ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    make_weights(folder)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that the commands share: what one has in the cache, painted cats and tokenizers, others need not make."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def place(template: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    place = shutil.copytree(template, tmp_path / "place")
    if any(name in request.node.name for name in WEIGHTS):
        for name in WEIGHTS:
            (place / name).unlink()
            (place / name).symlink_to(request.getfixturevalue("weights") / name)
    return place


def started(place: Path) -> None:
    """Leave a file that is older than all that a command writes."""
    (place / "begun").touch()


@pytest.mark.parametrize("shown", distinct(DIRECT))
def test_documented_commands_run_to_their_ends(shown: Shown, place: Path, home: Path, request: pytest.FixtureRequest):
    module, arguments = str(shown.module), made_small(shown.line)[3:]
    variables = dict(TRUSTED)
    through = ""
    if re.search(INCEPTION_2015, shown.line):
        through = TAKES_ANY
        variables["TORCH_HOME"] = str(request.getfixturevalue("weights") / "torch")
    if module == "inpaint":  # twelve photos are for training
        for path in (path for name in ("photos", "masks") for path in sorted((place / name).iterdir())[3:]):
            path.unlink()
    started(place)
    answer = run(module, *arguments, cwd=place, home=home, through=through, variables=variables)
    look_at(module, arguments, place, answer)
    if shown.line == DEMO:
        (made,) = (folder for folder in (place / "runs" / "cosine").iterdir() if (folder / "wandb").is_dir())
        assert {path.name for path in made.iterdir()} >= shown_tree() - {"decoder.pt"}  # where it has one


def shown_tree() -> set[str]:
    """Return what README says of a run folder's files."""
    block = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What a run leaves")[2].split("```")[1]
    names = {name.rstrip("/") for name in re.findall(r"^  ([\w.]+/?) ", block, flags=re.MULTILINE)}
    assert len(names) > 5
    return names


@pytest.mark.parametrize("shown", distinct(re.compile(r"python -m maskgit_lab\.app ")))
def test_documented_commands_serve_their_page(shown: Shown, place: Path):
    with serving(place, *made_small(shown.line)[3:]) as served:
        assert served.get("/")[0] == 200
    assert served.status == 0
    assert "warn" not in served.said.lower()


@pytest.mark.parametrize("shown", distinct(re.compile(r"python -m torch\.")))
def test_documented_commands_run_in_several_processes(shown: Shown, place: Path, home: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = [sys.executable, *(word.replace("PORT", port) for word in made_small(shown.line)[1:])]
    started(place)
    machines = 2 if "--nnodes" in words else 1
    running = [
        subprocess.Popen(words, cwd=place, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(machines)
    ]
    said = [process.communicate(timeout=TIMEOUT)[0] for process in running]
    for process, text in zip(running, said, strict=True):
        assert process.returncode == 0, text
    assert sum(text.count("Stage 2: done") for text in said) == 1
    look_at("train", words, place, subprocess.CompletedProcess(words, 0, "".join(said), ""))


@pytest.mark.documented
@pytest.mark.parametrize("line", BENCHMARKS)
def test_documented_benchmarks_run(line: str, place: Path, home: Path):
    """They run on a copy of theirs: results are written beside the code."""
    for name in ("benchmarks", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "images"), dirs_exist_ok=True)
    module, *arguments = BENCHMARKS[line].run
    assert any(shown.line == line for shown in shown_commands())
    if module.startswith("tests."):
        place = ROOT
    answer = run_module(module, *arguments, cwd=place, home=home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert BENCHMARKS[line].says in answer.stdout


def test_documented_runs_leave_nothing_out():
    """Every command is run, or the table says why it is not."""
    there = {shown.line for shown in shown_commands()}
    for pattern in (DIRECT, re.compile(r"python -m (maskgit_lab\.app|torch\.)")):
        there -= {line for line in there if pattern.match(line)}
    others = re.compile(r"(make|git|cd|source|export|pip|\.venv/bin/pre-commit) ")  # tests/test_documented_commands.py
    left = {line for line in there if not others.match(line)}
    assert left == {*NOT_RUN, *BENCHMARKS}


def test_documented_commands_that_always_run_have_every_command_of_the_package():
    from maskgit_lab.__main__ import COMMANDS

    assert {text.split()[0] for text in ALWAYS} == set(COMMANDS) - {"train"}  # which the fixture `made` runs


def test_made_small_has_no_row_without_a_command():
    lines = [shown.line for shown in shown_commands()]
    for row in ROWS:
        found = [line for line in lines if re.search(row.of, line)]
        assert found, row
        assert all(any(written in line for line in found) for written in row.instead), row
    assert set(NOT_RUN) <= set(lines)


def test_made_small_keeps_what_is_typed():
    line = "python -m maskgit_lab.train trainer.max_epochs=1 name=x"
    assert made_small(line)[:5] == shlex.split(line)
    sweep = made_small(
        "python -m maskgit_lab.train -m mask_schedule=linear,cosine,square decode.sweet_spot=3,5,7 data.batch_size=5,10"
    )
    assert sweep[3:7] == ["-m", "mask_schedule=linear,cosine", "decode.sweet_spot=3,5", "data.batch_size=5"]
