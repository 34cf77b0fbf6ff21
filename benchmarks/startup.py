"""How long commands take to start, above `import torch`, which they all need: each a cold process, in turns with that import.

A small run of the embedded painted cats, 64 x 64, is trained first; its tokenizer and tokens are the warm cache of the first step.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks.against_listing import Bench
from benchmarks.measure import paired
from benchmarks.rows import Above
from benchmarks.subjects import pictures

ROOT = Path(__file__).resolve().parents[1]
SMALL_RUN = (
    "debug=limit", "logger=csv", "trainer.accelerator=cpu", "data.source.num_train=96", "data.source.num_val=24",
    "data.source.num_test=16", "data.num_train_holes=32", "tokenizer.training.max_steps=12",
    "tokenizer.training.val_every_n_steps=6", "trainer.limit_train_batches=2",
)  # fmt: skip
FIRST_STEP = "+callbacks.first_step._target_=benchmarks.first_step.Leave"
TRAINING_ONLY = "lightning, torchmetrics, torchvision"  # what a fill does without


def startup(bench: Bench, _: str) -> Iterator[Above]:
    """Compare imports, a fill of one file from the shell, and the first step of a training with torch's import."""
    if bench.device.type != "cpu":
        raise SystemExit("the group startup measures cold processes on the CPU: --device cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "MASKGIT_LAB_RUNS": str(folder / "runs"), "MASKGIT_LAB_CACHE": str(folder / "cache")}
        python = partial(_run, environment)
        torch_alone = partial(python, "-c", "import torch")

        def row(work: str, key: str, ours: Callable[[], object]) -> Above:
            timed = paired(ours, torch_alone, pairs=bench.pairs, device=bench.device)
            return Above.of(work, "import torch", timed, key=key, target=bench.target(key))

        yield row("import maskgit_lab.inpainter", "startup_import", partial(python, "-c", "import maskgit_lab.inpainter"))
        yield row(f"import {TRAINING_ONLY}", "startup_training_only", partial(python, "-c", f"import {TRAINING_ONLY}"))
        train = ("-m", "maskgit_lab.train", *SMALL_RUN)
        python(*train)
        (run,) = (folder / "runs").glob("*/*/result.json")
        images, _holes = pictures(1, bench.device)
        Image.fromarray(images[0].numpy()).save(folder / "image.png")
        fill = (f"run={run.parent}", f"images={folder / 'image.png'}", f"out={folder / 'filled'}", "overwrite=true", "device=cpu")
        yield row("inpaint of one file, 64 x 64", "startup_inpaint", partial(python, "-m", "maskgit_lab.inpaint", *fill))
        yield row("train, warm cache, to the end of the first step", "startup_first_step", partial(python, *train, FIRST_STEP))


def _run(environment: dict[str, str], *arguments: str) -> None:
    """Run an interpreter to its end.

    Raises:
        SystemExit: it failed; with what it said.
    """
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{answer.stdout}{answer.stderr}")
