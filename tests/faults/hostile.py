"""Run folders from strangers: a configuration, a checkpoint or a link that would do something does nothing.

Each target would leave a file, the canary. Whatever opens the folder refuses it in one line, or does not look at that place; the
canary never appears, and what the environment or other files hold appears in nothing that is written.
"""

import base64
import functools
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from maskgit_lab.assembly.read import load_config
from maskgit_lab.inpainter import Inpainter
from tests.faults.bench import Bench, require, require_one_line, require_refusal
from tests.faults.fault import Fault
from tests.faults.hostile_targets import Touch, targets

SECRET = "correct-horse-battery"  # in the environment, and in a file beside the run
# places of a configuration where an object is built; None: the root, where nothing is
PLACES = (
    "model.transformer", "model.context", "mask_schedule", "training.mask_schedule", "optimizer", "trainer", "data.source",
    "tokenizer.model", "tokenizer.training.perceptual", "tokenizer.training.discriminator", "metrics.extractor", "callbacks.best",
    "callbacks.scores", "callbacks.ema", "callbacks.stranger", "logger.stranger", "trainer.callbacks", "trainer.logger",
    "trainer.plugins", "trainer.strategy", "trainer.profiler", "decode.num_steps", "tags", "model.transformer.dropout",
    "mask_schedule.inner", "data.source.root", "optimizer.lr", "training.label_smoothing", "name", "paths.cache",
)  # fmt: skip


def _place(config: dict[str, Any], place: str, node: Any) -> None:
    *groups, key = place.split(".")
    for group in groups:
        inner = config.get(group)
        config[group] = inner = inner if isinstance(inner, dict) else {}
        config = inner
    config[key] = node


def _stranger(bench: Bench) -> tuple[Path, Path]:
    """Return a fresh folder with a whole run in it, and where the canary would be."""
    folder = bench.fresh()
    shutil.copytree(bench.finished, folder / "run")
    (folder / "precious").mkdir()
    return folder, folder / "canary"


def _with_target(bench: Bench, rng: random.Random) -> tuple[Path, Path, str]:
    folder, canary = _stranger(bench)
    name, node = rng.choice(sorted(targets(folder, canary).items()))
    path = folder / "run" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    place = rng.choice(PLACES)
    how = rng.randrange(5)
    if how == 1:
        node = {**node, "_partial_": True}
    elif how == 2:
        node = [node]
    elif how == 3:
        node = {"_target_": "builtins.dict", "a": node}
    elif how == 4 and isinstance(config["mask_schedule"], dict):
        node = {**config["mask_schedule"], "inner": node}  # inside one that is allowed
    _place(config, place, node)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return folder, canary, f"{name} at {place} ({how})"


def _nothing_happened(folder: Path, canary: Path, what: str) -> None:
    require(not canary.exists() and not canary.is_symlink() and (folder / "precious").is_dir(), f"{what} ran")
    require((folder / "script.py").is_file() == (folder / "hubconf.py").is_file(), f"{what} moved a file")


def _from_python(bench: Bench, rng: random.Random) -> None:
    folder, canary, what = _with_target(bench, rng)
    try:
        Inpainter.from_run(folder / "run", device="cpu") if rng.random() < 0.5 else load_config(folder / "run")
    except BaseException as error:
        require_refusal(error, Path(""))
    _nothing_happened(folder, canary, what)
    shutil.rmtree(folder)


DOORS: dict[str, Callable[[Bench, Path], list[str]]] = {
    "inpaint": lambda bench, run: [f"run={run}", f"images={bench.images}", f"out={run.parent / 'out'}", "device=cpu"],
    "evaluate": lambda bench, run: [f"run={run}", f"out={run.parent / 'out'}", "device=cpu", "sweet_spots=[1,2]"],
    "train": lambda bench, run: [f"resume={run}", "trainer.max_epochs=4"],
    "report": lambda bench, run: [f"run={run}", f"out={run.parent / 'out'}"],
    "collect": lambda bench, run: [str(run.parent), "--out", str(run.parent / "out")],
}


def _by_command(door: str, bench: Bench, rng: random.Random) -> None:
    folder, canary, what = _with_target(bench, rng)
    answer = bench.run(door, *DOORS[door](bench, folder / "run"), cwd=folder)
    _nothing_happened(folder, canary, f"{what} by {door}")
    if answer.returncode != 0 or "error: " in answer.stderr:
        require_one_line(answer)
    shutil.rmtree(folder)


def _pickle(bench: Bench, rng: random.Random) -> None:
    """Put pickles where weights are."""
    folder, canary = _stranger(bench)
    path = folder / "run" / rng.choice(["checkpoints/best.ckpt", "checkpoints/last.ckpt", "tokenizer.pt", "decoder.pt"])
    evil = Touch(canary)
    wrapped = rng.choice([evil, {"state_dict": {}, "x": evil}, {"format": "maskgit_lab.tokenizer/1", "x": evil}])
    if rng.random() < 0.5:
        torch.save(wrapped, path)
    else:
        path.write_bytes(pickle.dumps(wrapped))
    try:
        Inpainter.from_run(folder / "run", checkpoint=path.stem if path.suffix == ".ckpt" else "best", device="cpu")
    except BaseException as error:
        require_refusal(error, path)
    require(not canary.exists(), f"a pickle in {path.name} ran")
    shutil.rmtree(folder)


RESOLVERS = (
    "${oc.env:FAULTS_SECRET}", "${oc.env:HOME}", "x${oc.env:FAULTS_SECRET}", "${oc.decode:${oc.env:FAULTS_SECRET}}",
    "${oc.create:{a: b}}", "${oc.env:NOWHERE,${oc.env:FAULTS_SECRET}}", "${oc.select:name}", "${maskgit.run_dir:null,x}",
    "${hydra:runtime.cwd}", "${now:%Y}",
)  # fmt: skip
TAGS = (
    "!!python/object/apply:os.system ['touch {}']",
    "!!python/object/new:os.system ['touch {}']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!nowhere x",
)


def _yaml(bench: Bench, rng: random.Random) -> None:
    """Put resolvers and tags where values are, and look for what they would tell."""
    folder, canary = _stranger(bench)
    path = folder / "run" / "config.yaml"
    value = rng.choice([f"'{r}'" for r in RESOLVERS] + [tag.format(canary) for tag in TAGS])
    key = rng.choice(["name", "notes", "tags", "speed", "seed"])
    lines = [line for line in path.read_text().splitlines() if not line.startswith((f"{key}:", "- "))]
    path.write_text("\n".join([f"{key}: [{value}]" if key == "tags" else f"{key}: {value}", *lines]) + "\n")
    answer = bench.run("report", f"run={folder / 'run'}", cwd=folder, env={"FAULTS_SECRET": SECRET})
    _nothing_happened(folder, canary, value)
    if answer.returncode != 0:
        require_one_line(answer)
    for written in (*folder.rglob("*.html"), *folder.rglob("*.md"), *folder.rglob("*.json")):
        require(SECRET not in written.read_text(), f"{value} told the environment in {written.name}")
    require(SECRET not in answer.stdout + answer.stderr, f"{value} told the environment")
    shutil.rmtree(folder)


ESCAPES = ("../../escape", "/tmp/escape_{}", "a/../../../escape", "~/escape", "..", "x\n../escape", "figures/../../escape")


def _escape(bench: Bench, rng: random.Random) -> None:
    """Name a place outside, and put links where the report embeds files."""
    folder, _ = _stranger(bench)
    run, secret = folder / "run", folder / "secret.png"
    secret.write_text(SECRET)
    config = yaml.safe_load((run / "config.yaml").read_text())
    escape = rng.choice(ESCAPES).format(folder.name)
    _place(
        config,
        rng.choice(
            ["name", "callbacks.best.filename", "callbacks.last.filename", "callbacks.best.dirpath", "callbacks.samples.folder"]
        ),
        escape,
    )
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for figure in (run / "figures").glob("*.png"):
        figure.unlink()
        figure.symlink_to(secret)
    before = {path for path in folder.rglob("*") if not path.is_relative_to(run)}
    if rng.random() < 0.5:
        bench.run("train", f"resume={run}", "trainer.max_epochs=4", cwd=folder)
    answer = bench.run("report", f"run={run}", cwd=folder)
    written = {path for path in folder.rglob("*") if not path.is_relative_to(run)} - before
    require(not written and not Path(f"/tmp/escape_{folder.name}").exists(), f"{escape} was written: {[str(p) for p in written]}")
    require("Traceback" not in answer.stderr, f"{escape}: {answer.stderr[-300:]}")
    for page in (*run.glob("report.*"),):
        told = page.read_text()
        require(
            SECRET not in told and base64.b64encode(SECRET.encode()).decode()[:20] not in told,
            f"{page.name} embeds a file behind a link",
        )
    shutil.rmtree(folder)


def _finished(bench: Bench) -> Path:
    return bench.finished


FAULTS = (
    Fault(name="hostile configuration, Python", attempt=_from_python, times=600, quick=12, caged=True, needs=(_finished,)),
    *(Fault(name=f"hostile configuration, {door}", attempt=functools.partial(_by_command, door), times=40) for door in DOORS),
    Fault(name="hostile pickles", attempt=_pickle, times=60, quick=3, caged=True, needs=(_finished,)),
    Fault(name="hostile YAML", attempt=_yaml, times=40),
    Fault(name="names and links that lead outside", attempt=_escape, times=20),
)
