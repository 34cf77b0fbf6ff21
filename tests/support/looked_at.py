"""What a command leaves: the files that it promises are there, can be read, and hold what they should."""

import csv
import json
import re
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.runs.folder import RunFolder


def look_at(module: str, arguments: list[str], place: Path, answer: subprocess.CompletedProcess[str]) -> None:
    """Fail where a command of this package did not end well, warned, or did not leave what it promises.

    Args:
        module: name of the command.
        arguments: what was typed after it.
        place: the folder where it ran.
        answer: its end.
    """
    text = answer.stdout + answer.stderr
    assert answer.returncode == 0, text
    assert "warn" not in text.lower(), text
    assert "Traceback" not in text, text
    typed = {"folder": arguments[0] if arguments else "", **dict(text.split("=", 1) for text in arguments if "=" in text)}
    LOOKS[module](typed, place, answer.stdout)


def _train(typed: dict[str, str], place: Path, said: str) -> None:
    if "resume" in typed and typed["resume"] != "auto":
        look_at_run(place / typed["resume"])
        return
    results = [path for path in place.rglob("result.json") if path.stat().st_mtime_ns > (place / "begun").stat().st_mtime_ns]
    assert results
    for path in results:
        look_at_run(path.parent)
    sweeps = [path for path in (place / "runs" / "sweeps").glob("*/*") if path.parent.name != "NAME"]
    if sweeps:
        (sweep,) = sweeps
        assert len(results) > 1
        look_at_table(sweep)


def look_at_run(folder: Path) -> None:
    """Fail where a run folder does not hold what README says."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["status"] == "completed"
    assert result["scores"]
    assert (folder / "table.md").read_text(encoding="utf-8").startswith("|")
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file))
    assert (folder / "tokenizer.pt").stat().st_size > 1000
    if re.search(r"^  train_masks: (?!null$)", (folder / "config.yaml").read_text(encoding="utf-8"), re.MULTILINE):
        assert RunFolder(folder).read_hole_share()
    look_at_images(folder / "figures", "fills.png", "training.png")


def _train_tokenizer(typed: dict[str, str], place: Path, said: str) -> None:
    found = re.search(r"kept at (\S+tokenizer\.pt)", said)
    assert found
    assert Path(found[1]).stat().st_size > 1000


def _train_decoder(typed: dict[str, str], place: Path, said: str) -> None:
    assert (place / typed["run"] / "decoder.pt").stat().st_size > 1000


def _inpaint(typed: dict[str, str], place: Path, said: str) -> None:
    out, given = place / typed["out"], place / typed["images"]
    paths = sorted(given.iterdir()) if given.is_dir() else [place / name for name in typed["images"].strip("[]").split(",")]
    samples = int(typed.get("num_samples", 1))
    names = look_at_images(out / "composited")
    assert len(names) == len(paths) * samples
    assert len(look_at_images(out / "animations")) == len(paths)
    look_at_images(out, "overview.png")
    for path in paths:
        (first, *_) = (name for name in names if name.startswith(path.stem))
        before, after = read_image(path), read_image(out / "composited" / first)
        left, top, right, bottom = (int(number) for number in typed.get("expand", "[0,0,0,0]").strip("[]").split(","))
        height, width = before.shape[:2]
        assert after.shape == (height + top + bottom, width + left + right, before.shape[2])
        if "masks" in typed:
            mask = place / typed["masks"]
            hole = read_image(mask / path.name if mask.is_dir() else mask)[..., 0] > 0
            assert np.array_equal(before[~hole], after[~hole])
            assert not np.array_equal(before[hole], after[hole])


def read_image(path: Path) -> np.ndarray:
    """Return the pixels of an image file, (H, W, channels)."""
    with Image.open(path) as image:
        return np.atleast_3d(np.asarray(image))


def _evaluate(typed: dict[str, str], place: Path, said: str) -> None:
    out = (
        place / typed["out"] if "out" in typed else place / typed["run"] / "evaluation" if "run" in typed else place / "evaluation"
    )
    found = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert found["cells"]
    assert (out / "table.md").read_text(encoding="utf-8").startswith("## ")
    with (out / "table.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) >= len(found["cells"])
    if "outputs" not in typed:
        look_at_images(out / "figures", "grid.png")
        assert found["references"]["diffusion fill"]["psnr_hole"] > found["references"]["grey fill"]["psnr_hole"]


def _audit(typed: dict[str, str], place: Path, said: str) -> None:
    found = json.loads((place / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert found
    assert (place / "audit" / "audit.md").stat().st_size > 100
    look_at_images(place / "audit", "pairs.png")


def _report(typed: dict[str, str], place: Path, said: str) -> None:
    assert (place / typed["run"] / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (place / typed["run"] / "report.md").stat().st_size > 100


def _collect(typed: dict[str, str], place: Path, said: str) -> None:
    look_at_table(place / typed["folder"])
    assert re.search(r"^(\d+) of \1 jobs completed$", said, re.MULTILINE)


def look_at_table(folder: Path) -> None:
    """Fail where there is no table of a sweep."""
    with (folder / "table.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file))
    assert (folder / "table.md").read_text(encoding="utf-8").startswith("# Sweep")


def look_at_images(folder: Path, *named: str) -> list[str]:
    """Open every image of a folder, those that are `named` among them, and return their names."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".webp", ".jpg"))
    assert names
    assert set(named) <= set(names)
    for name in names:
        with Image.open(folder / name) as image:
            image.load()
    return names


LOOKS = {
    "train": _train, "train_tokenizer": _train_tokenizer, "train_decoder": _train_decoder, "inpaint": _inpaint,
    "evaluate": _evaluate, "audit": _audit, "report": _report, "collect": _collect,
}  # fmt: skip
