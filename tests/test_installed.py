"""The wheel in an environment of its own: what a user types after `pip install`, in an empty folder, to its end."""

import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

import pytest
import torch

from tests.support.builders import boxes, pictures, write_pictures
from tests.support.commands import SMALL_RUN, TIMEOUT, environment
from tests.support.looked_at import look_at, look_at_run
from tests.support.serving import ADDRESS
from tests.test_wheel import ROOT, scripts, wheel  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.documented, pytest.mark.xdist_group("installed")]
SMALLER = (*SMALL_RUN, "trainer.max_epochs=1", "logger=csv", "data.source.num_train=24", "tokenizer.training.max_steps=6")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """Return the folder of the scripts of an environment that has the wheel and sees the other packages, but not this checkout."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)})
    others = Path(torch.__file__).parents[1]  # files .pth in there, of editable checkouts, are not read
    Path(packages, "others.pth").write_text(f"{others}\n", encoding="utf-8")
    return python.parent


@pytest.fixture(scope="module")
def place(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `maskgit-train` has left a run."""
    place = tmp_path_factory.mktemp("empty")
    answer = script(installed, "maskgit-train", "experiment=cosine", *SMALLER, place=place)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (folder,) = (place / "runs" / "cosine").iterdir()
    look_at_run(folder)
    write_pictures(place / "photos", pictures(2, resolution=64))
    write_pictures(place / "masks", boxes(2, resolution=64))
    return place


def script(installed: Path, name: str, *arguments: str, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(installed / name), *arguments], cwd=place, env=environment(place / "home"), capture_output=True, text=True,
        timeout=TIMEOUT, check=False,
    )  # fmt: skip


def run_of(place: Path) -> str:
    (folder,) = (path for path in (place / "runs" / "cosine").iterdir() if path.is_dir())  # not the tables of `maskgit-collect`
    return folder.relative_to(place).as_posix()


def test_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path):
    ask = "import maskgit_lab; from maskgit_lab.assembly.config import config_dir; print(maskgit_lab.__file__, config_dir())"
    answer = script(installed, "python", "-c", ask, place=tmp_path)
    package, conf = answer.stdout.split()
    assert Path(package).is_relative_to(installed.parent)
    assert Path(conf) == Path(package).parent / "conf"
    assert not Path(package).is_relative_to(ROOT)


@pytest.mark.parametrize("name", scripts())
def test_installed_scripts_say_what_they_do(name: str, installed: Path, tmp_path: Path):
    answer = script(installed, name, "--help", place=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert f"python -m maskgit_lab.{scripts()[name].partition(':')[0].rpartition('.')[2]}" in answer.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("maskgit-train-tokenizer", ("experiment=cosine", "seed=1", *SMALLER)),
        ("maskgit-train-decoder", tuple(f"decoder.training.{key}" for key in ("max_steps=4", "fill_steps=2", "num_fills=8"))),
        ("maskgit-inpaint", ("images=photos", "masks=masks", "out=filled")),
        ("maskgit-evaluate", ("seeds=[0]", "schedules=[cosine]", "sweet_spots=[3,7]")),
        ("maskgit-audit", ("data.source.num_train=24", "data.source.num_val=8", "data.source.num_test=8")),
        ("maskgit-report", ()),
        ("maskgit-collect", ("runs/cosine",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_installed_scripts_run_to_their_ends(name: str, arguments: tuple[str, ...], installed: Path, place: Path):
    needs_a_run = name in ("maskgit-train-decoder", "maskgit-inpaint", "maskgit-evaluate", "maskgit-report")
    typed = [*([f"run={run_of(place)}"] if needs_a_run else []), *arguments]
    answer = script(installed, name, *typed, place=place)
    look_at(scripts()[name].partition(":")[0].rpartition(".")[2], typed, place, answer)


def test_installed_app_answers(installed: Path, place: Path, tmp_path: Path):
    said = tmp_path / "said"
    with said.open("w") as file:
        process = subprocess.Popen(
            [str(installed / "maskgit-app"), f"run={run_of(place)}", "port=0"], cwd=place, env=environment(place / "home"),
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    deadline = time.monotonic() + TIMEOUT
    while not (found := ADDRESS.search(said.read_text())) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found, said.read_text()
    with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=TIMEOUT) as page:
        assert page.status == 200
    process.terminate()
    assert process.wait(timeout=TIMEOUT) == 0, said.read_text()
