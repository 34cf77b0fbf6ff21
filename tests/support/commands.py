"""Run the package's commands as a user would, small."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.warm import ADDRESS, PYTHON, WITHOUT_FIGURES, WarmCommand

SMALL_RUN = (
    "data.source.num_train=80", "data.source.num_val=16", "data.source.num_test=8", "data.num_train_holes=32",
    "data.num_val_fills=8", "tokenizer.model.channels=16", "tokenizer.model.num_blocks=1",
    "tokenizer.model.num_codebook_vectors=32", "tokenizer.training.max_steps=8",
    "tokenizer.training.val_every_n_steps=4", "model.transformer.dim=32", "model.transformer.num_layers=1",
    "model.transformer.hidden_dim=48", "model.context.channels=16", "model.context.num_blocks=1", "trainer.max_epochs=2",
    "trainer.accelerator=cpu", "trainer.precision=32-true", "decode.figure_steps=4",
)  # fmt: skip
TIMEOUT = 240  # seconds
CACHE = "CACHE_OF_ALL_TESTS"  # environment variable: the folder
NO_FIGURES = {WITHOUT_FIGURES: "1"}  # variables of a run whose figures no test looks at: a third of its time


def shared_cache() -> str:
    """Return the override for a cache that all tests share, where no property is in making its data and its tokenizer."""
    return f"paths.cache={os.environ[CACHE]}"


def warm_children() -> dict[str, str]:
    """Return variables of a command whose own processes are to start without the wait for their imports."""
    return {PYTHON: str(Path(os.environ[ADDRESS]).with_name("python"))}


def environment(home: Path) -> dict[str, str]:
    """Return an environment with an empty home and no settings of wandb or this package."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "MASKGIT", "PYTEST"))}
    # wandb's first versions measure the machine after 15 seconds for the first time, when a small run has ended
    wandb = {"WANDB_X_STATS_SAMPLING_INTERVAL": "1"}
    return {**kept, **wandb, "HOME": str(home), "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": str(home / "matplotlib")}


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"maskgit_lab.{module}", *arguments]


def run(
    module: str, *arguments: str, cwd: Path, home: Path, through: str = "", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return it with its output; `tests.support.warm` says why no interpreter is started.

    `through`: a module that runs it. `variables`: of the environment, besides.
    """
    words = [*([through] if through else []), f"maskgit_lab.{module}", *arguments]
    return run_module(*words, cwd=cwd, home=home, variables=variables)


def run_module(
    name: str, *arguments: str, cwd: Path, home: Path, variables: Mapping[str, str] | None = None, path: tuple[Path, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `python -m NAME ARGUMENTS` to its end, as `run` does, with folders in which modules are found too."""
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs, "out"), Path(outputs, "err")
        env = {**environment(home), **(variables or {})}
        status = start_module(name, *arguments, cwd=cwd, env=env, out=out, err=err, path=path).wait()
        return subprocess.CompletedProcess([sys.executable, "-m", name, *arguments], status, out.read_text(), err.read_text())


def run_code(code: str, folder: Path) -> str:
    """Run Python in a process of its own whose imports are done, and return what it prints; it writes into an empty folder."""
    (folder / "code_of_a_test.py").write_text(code)
    answer = run_module("code_of_a_test", cwd=folder, home=folder / "home")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def start(
    module: str, *arguments: str, cwd: Path, home: Path, out: Path, err: Path, variables: Mapping[str, str] | None = None
) -> WarmCommand:
    """Start a command whose output goes to two files."""
    env = {**environment(home), **(variables or {})}
    return start_module(f"maskgit_lab.{module}", *arguments, cwd=cwd, env=env, out=out, err=err)


def start_module(
    name: str, *arguments: str, cwd: Path, env: Mapping[str, str], out: Path, err: Path, path: tuple[Path, ...] = ()
) -> WarmCommand:
    """Start any module as `python -m` does."""
    return WarmCommand({
        "module": name, "arguments": arguments, "cwd": str(cwd), "env": dict(env), "stdout": str(out), "stderr": str(err),
        "timeout": TIMEOUT, "path": [str(folder) for folder in path],
    })  # fmt: skip


def run_cold(module: str, *arguments: str, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in an interpreter of its own, imports and all."""
    return subprocess.run(
        command(module, *arguments), cwd=cwd, env=environment(home), capture_output=True, text=True, timeout=TIMEOUT,
        check=False,
    )  # fmt: skip
