"""One small run of the whole package, from a working directory that is not the checkout."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab.inpainter import Inpainter
from tests.conftest import Made
from tests.support.builders import pictures, write_pictures
from tests.support.commands import NO_FIGURES, SMALL_RUN, run
from tests.support.wandb_file import read_offline_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_run")]

PROGRESS = re.compile(r"(it|img|cat|fill)/s")
# everything else that may scroll by
EXPECTED = re.compile(
    r"Threads:|Data:|Stage [12]:|Least val/loss|Validation minus|The measures|fill  |---|grey fill|diffusion fill|model, |VQGAN |"
    r"Speed:|Peak memory: host|Figures:|  runs/|Dashboard, offline|\* best, by more|(fd_tokenizer|psnr_hole|mae_hole): the model|"
    r"The spread over decoding seeds:"
)


def test_train_speaks_of_threads_once(made: Made):
    assert made.answer.stdout.count("Threads: 1 (OMP_NUM_THREADS), asleep while they wait\n") == 1


def test_train_speaks_of_speed_once(made: Made):
    assert made.answer.stdout.count("Speed: fast: only hidden tokens are predicted") == 1


def test_train_shows_the_table_and_the_paths_and_no_warning(made: Made):
    text = made.answer.stdout + made.answer.stderr
    assert "warn" not in text.lower()
    lines = [line for line in re.split(r"[\n\r]", text) if line.strip(" \x1b[A") and not PROGRESS.search(line)]
    assert [line for line in lines if not EXPECTED.match(line)] == []
    for line in ("grey fill", "diffusion fill", "model, decoded", "model, composited", "VQGAN reconstruction"):
        assert line in made.answer.stdout
    assert re.search(r"fd_tokenizer: the model \(.*\) is (better|worse) than the diffusion fill", made.answer.stdout)
    assert "*" not in "".join(line for line in made.answer.stdout.splitlines() if line.startswith(("grey", "diffusion", "model,")))
    for word in ("Stage 1", "Stage 2", "Filling test images"):
        assert word in text
    listed = [Path(line.strip()) for line in made.answer.stdout.splitlines() if line.strip().endswith(".png")]
    assert len(listed) == 11
    assert all((made.cwd / path).is_file() for path in listed)


def test_train_result_says_what_was_measured_and_with_what(made: Made):
    result = made.result()
    assert result["status"] == "completed"
    assert set(result["seconds"]) == {"data_and_stage_1", "stage_2", "scores_and_pictures"}
    assert [row["fill"] for row in result["scores"]][2:4] == ["model, decoded", "model, composited"]
    assert all(np.isfinite(v) for row in result["scores"] for v in row.values() if isinstance(v, float))
    assert result["protocol"]["num_steps"] == 7
    assert result["provenance"]["torch"] == version("torch")
    assert "fd_tokenizer" in (made.folder / "table.md").read_text()


def test_train_curves_hold_losses_scores_and_learning_rate(made: Made):
    columns = set(made.metrics()[0])
    assert {
        "train/loss", "train/token_accuracy", "val/loss", "val/token_accuracy", "val/fd_tokenizer", "val/psnr_hole",
        "val/ssim_hole", "val/mae_hole", "epoch", "step",
    } <= columns  # fmt: skip
    assert any(name.startswith("lr-") for name in columns)
    assert made.epochs() == {0, 1}


def test_train_leaves_two_checkpoints_that_hold_no_tokenizer(made: Made):
    assert sorted(p.name for p in (made.folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    for name in ("best", "last"):
        content = torch.load(made.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert content["tokenizer_sha256"] == made.result()["tokenizer_sha256"]
        assert all(key.startswith(("model.transformer.", "model.context.")) for key in content["state_dict"])


def test_train_figures_open_and_are_not_empty(made: Made):
    paths = sorted((made.folder / "figures").rglob("*.png"))
    assert {"fills", "training", "schedules", "schedule_cosine", "epoch_0001"} <= {p.stem for p in paths}
    for path in paths:
        assert np.asarray(Image.open(path).convert("L")).std() > 5


def test_train_dashboard_is_offline_and_holds_table_and_curves(made: Made):
    said = re.search(r"wandb sync (\S+)", made.answer.stdout)
    assert said is not None
    shown = read_offline_run(made.cwd / said.group(1))
    assert shown.config["mask_schedule"]["_target_"].endswith("Cosine")
    assert shown.config["provenance"]["torch"] == version("torch")
    assert (shown.tags, shown.exit_code) == (["cosine"], 0)
    losses = [float(row["val/loss"]) for row in made.metrics() if row["val/loss"]]
    assert shown.values("val/loss") == pytest.approx(losses[:2])
    assert len(shown.values("train/fixed_loss")) == len(shown.values("val/psnr_hole")) == 2
    assert [len(files) for files in shown.values("val/samples/filenames")] == [4, 4]  # strips of every epoch
    assert shown.values("test/table/nrows") == [6]
    assert shown.values("figures/fills/count") == shown.values("figures/schedule_cosine/count") == [1]
    composited = next(row for row in made.result()["scores"] if row["fill"] == "model, composited")
    assert shown.summary["test/composited/psnr_hole"] == pytest.approx(composited["psnr_hole"])
    assert shown.summary["val/loss"] == {"min": pytest.approx(min(losses[:2]))}
    assert shown.system


def test_train_again_finds_the_tokenizer_and_the_same_numbers(made: Made):
    again = run("train", "experiment=cosine", "logger=csv", *SMALL_RUN, cwd=made.cwd, home=made.home, variables=NO_FIGURES)
    assert "found in the cache" in again.stdout
    assert "Stage 1, epoch" not in again.stderr
    (folder,) = (f for f in (made.cwd / "runs" / "cosine").iterdir() if f != made.folder)
    result = json.loads((folder / "result.json").read_text())
    assert result["scores"] == made.result()["scores"]
    assert not (folder / "wandb").exists()


def test_train_tokenizer_finds_the_tokenizer_too(made: Made):
    answer = run("train_tokenizer", *SMALL_RUN, cwd=made.cwd, home=made.home)
    assert answer.returncode == 0
    assert "found in the cache" in answer.stdout
    assert made.result()["tokenizer_sha256"][:12] in answer.stdout


def test_inpaint_fills_images_from_files(made: Made, tmp_path: Path):
    photos = write_pictures(tmp_path / "photos", pictures(3, resolution=80), name="photo_{}.png")
    masks = np.zeros((3, 80, 80), dtype=bool)
    masks[:, 20:50, 30:60] = True
    write_pictures(tmp_path / "masks", masks, name="mask_{}.png")
    arguments = [
        f"run={made.folder}", f"images={photos[0].parent}", f"masks={tmp_path / 'masks'}", f"out={tmp_path / 'out'}"
    ]  # fmt: skip
    answer = run("inpaint", *arguments, "decode.num_steps=3", cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stderr
    assert "warn" not in (answer.stdout + answer.stderr).lower()
    for folder, ending in (("decoded", "_1.png"), ("composited", ".png"), ("steps", "_1.png"), ("animations", ".webp")):
        assert sorted(p.name for p in (tmp_path / "out" / folder).iterdir()) == [f"photo_{i}{ending}" for i in range(3)]
    steps = np.asarray(Image.open(tmp_path / "out" / "steps" / "photo_0_1.png"))
    assert np.asarray(Image.open(tmp_path / "out" / "composited" / "photo_0.png")).shape == (80, 80, 3)
    assert steps.shape[1] > 6 * 128  # input, mask, three steps, result, each at twice the size


def test_inpainter_leaves_known_pixels_alone_and_ignores_batches(made: Made):
    inpainter = Inpainter.from_run(made.folder, device="cpu")
    images = pictures(4, resolution=64)
    masks = np.zeros((4, 64, 64), dtype=bool)
    masks[:, 10:30, 12:40] = True
    filled = inpainter(images, masks, steps=True)
    np.testing.assert_array_equal(filled.composited[~masks], images[~masks])
    assert filled.step_images.shape == (7, 4, 64, 64, 3)
    np.testing.assert_array_equal(inpainter(images[2:3], masks[2:3], first=2).composited[0], filled.composited[2])
    with pytest.raises(ValueError, match="mask 0 has 64x64 pixels, but its image, as a viewer shows it, 64x32"):
        inpainter(images[:, :32], masks)


def test_train_that_resumes_with_a_mistake_leaves_every_byte_of_the_run(made: Made):
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    resume = f"resume={made.folder.relative_to(made.cwd)}"
    # found before the data are read, and after everything was built
    for mistake in ("decode.sweet_spot=9", "trainer.precision=8"):
        answer = run("train", resume, "trainer.max_epochs=3", mistake, cwd=made.cwd, home=made.home)
        assert answer.returncode == 1
        assert mistake.partition("=")[0].rpartition(".")[2] in answer.stderr.lower()
        assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before


def test_train_makes_a_finished_run_longer(made: Made):
    before = torch.load(made.folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    resume = f"resume={made.folder.relative_to(made.cwd)}"
    answer = run("train", resume, "trainer.max_epochs=3", cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "warn" not in (answer.stdout + answer.stderr).lower()
    after = torch.load(made.folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert after == before * 3 // 2
    assert made.result()["epochs"] == 3
    assert made.epochs() == {0, 1, 2}
    steps = [int(row["step"]) for row in made.metrics()]
    assert steps == sorted(steps)
    dashboards = [read_offline_run(path) for path in (made.folder / "wandb").glob("offline-run-*")]
    assert len(dashboards) >= 2
    assert len({dashboard.run_id for dashboard in dashboards}) == 1  # one run in the dashboard
