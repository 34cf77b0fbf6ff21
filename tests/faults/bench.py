"""Where harm is done: folders, a process that runs commands, and one finished run that nobody disturbed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from benchmarks.identical import differences
from maskgit_lab.runs.folder import RunFolder
from tests.faults.fault import LostError
from tests.support import builders
from tests.support.commands import command, environment
from tests.support.warm import ADDRESS, WarmCommand, WarmProcess

TINY_RUN = (
    "data.source.num_train=32", "data.source.num_val=8", "data.source.num_test=4", "data.num_train_holes=8",
    "data.num_val_fills=4", "data.batch_size=8", "tokenizer.model.channels=8", "tokenizer.model.num_blocks=1",
    "tokenizer.model.num_codebook_vectors=16", "tokenizer.model.latent_dim=4", "tokenizer.training.max_steps=6",
    "tokenizer.training.val_every_n_steps=3", "model.transformer.dim=8", "model.transformer.num_layers=1",
    "model.transformer.num_heads=2", "model.transformer.hidden_dim=16", "model.context.channels=4",
    "model.context.num_blocks=1", "trainer.max_epochs=3", "trainer.accelerator=cpu", "trainer.precision=32-true",
    "decode.num_steps=2", "decode.figure_steps=1", "logger=csv", "reuse=never",
)  # fmt: skip
TIMEOUT = 240  # seconds
PUBLIC_KEYS = Path(__file__).parents[1] / "public_keys.txt"


class Bench:
    """Shared by all faults of a process.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.seconds = 0.0  # that the undisturbed run took
        self._warm: WarmProcess | None = None
        self._made: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._warm is not None:
            self._warm.end()
            del os.environ[ADDRESS]

    def fresh(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the folder of a name, which `make` fills the first time."""
        if name not in self._made:
            folder = self.fresh()
            make(folder)
            self._made[name] = folder
        return self._made[name]

    def start(self, module: str, *arguments: str, cwd: Path, out: Path | None = None, **more: Any) -> WarmCommand:
        """Start a command of the package; its output goes to `out` and `out` with .err. `more`: other fields of the request."""
        if ADDRESS not in os.environ:
            self._warm = WarmProcess(self.fresh())
        out = out or self.fresh() / "out"
        env = environment(self.home) | more.pop("env", {})
        return WarmCommand({
            "module": f"maskgit_lab.{module}", "arguments": arguments, "cwd": str(cwd), "env": env, "stdout": str(out),
            "stderr": f"{out}.err", "timeout": TIMEOUT, **more,
        })  # fmt: skip

    def run(self, module: str, *arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        out = self.fresh() / "out"
        status = self.start(module, *arguments, cwd=cwd, out=out, **more).wait()
        said = [path.read_text(errors="replace") for path in (out, Path(f"{out}.err"))]
        shutil.rmtree(out.parent)
        return subprocess.CompletedProcess(command(module, *arguments), status, *said)

    @cached_property
    def finished(self) -> Path:
        """A run folder that was trained to its end, undisturbed."""
        cwd = self.fresh()
        start = time.monotonic()
        answer = self.run("train", *TINY_RUN, "name=undisturbed", cwd=cwd)
        if answer.returncode != 0:
            raise RuntimeError(f"the undisturbed run failed: {answer.stdout[-2000:]}{answer.stderr[-2000:]}")
        self.seconds = time.monotonic() - start
        (folder,) = (cwd / "runs" / "undisturbed").iterdir()
        return folder

    @cached_property
    def overwrite(self) -> tuple[str, ...]:
        """What `inpaint` is told to write over its own results."""
        return ("overwrite=true",) if "inpaint overwrite" in PUBLIC_KEYS.read_text().splitlines() else ()

    @cached_property
    def images(self) -> Path:
        """A folder of three images."""
        return builders.write_pictures(self.fresh() / "images", builders.pictures(3, resolution=64))[0].parent


def require(held: bool, what: str) -> None:
    """Raise LostError with `what` unless it held."""
    if not held:
        raise LostError(what)


def require_same_run(whole: Path, folder: Path, after: str) -> None:
    """Raise LostError unless two runs have the same weights, tokenizer, curves and scores, and the latter is complete."""
    result = RunFolder(folder).read_result()
    require(result["status"] == "completed" and "scores" in result, f"{after}: {folder.name} is {result['status']}")
    found = list(differences(RunFolder(whole), RunFolder(folder)))
    require(not found, f"{after}: {'; '.join(found)[:300]}")


def require_one_line(answer: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a command that ended as a user's mistake does: exit status 1, one line, no traceback."""
    text = answer.stdout + answer.stderr
    typed = [argument for argument in answer.args[2:] if argument not in TINY_RUN]
    told = f"{' '.join(typed)[:200]}: exit {answer.returncode}, {text[-300:]!r}"
    require("Traceback" not in text, f"traceback from {told}")
    require(answer.returncode == 1, told)
    lines = answer.stderr[answer.stderr.find("error: ") :].strip().splitlines()
    require(answer.stderr.count("error: ") >= 1 and len(lines) == 1, f"not one line from {told}")
    return lines[0]


def require_refusal(error: BaseException, path: Path) -> None:
    """Raise LostError unless an error is a message for users: its type, one line, the file's name."""
    text = str(error)
    require(isinstance(error, ValueError | FileNotFoundError), f"{type(error).__name__}: {text[:200]}")
    own = type(error) in (ValueError, FileNotFoundError) or type(error).__module__.startswith("maskgit_lab")
    require(own, f"{type(error).__name__} of a library: {text[:200]}")
    require(path.name in text, f"does not name {path.name}: {text[:200]}")
    require("\n" not in text.strip(), f"more than one line: {text[:200]!r}")
    require("weights_only=False" not in text, f"advises to trust: {text[:200]}")
