"""The command `evaluate` on the small run: files, tables, and other people's outputs under the same ruler."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab.evaluation.inception import TruncatedInception
from tests.conftest import Made
from tests.support.builders import boxes, pictures, write_pictures
from tests.support.commands import run
from tests.support.wandb_file import read_offline_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_run")]


@pytest.fixture(scope="module")
def evaluation(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    arguments = [f"run={made.folder}", "schedules=[cosine,arccos]", "sweet_spots=[1,7]", "seeds=[0,1]", f"out={out}"]
    answer = run("evaluate", *arguments, cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "warn" not in (answer.stdout + answer.stderr).lower()
    assert "arccos, sweet spot 7" in answer.stdout
    (out / "terminal.txt").write_text(answer.stdout)
    return out


def test_evaluate_gives_the_score_of_the_run_in_its_last_cell(made: Made, evaluation: Path):
    found = json.loads((evaluation / "evaluation.json").read_text())
    scores = {row["fill"]: row for row in made.result()["scores"]}
    for output in ("decoded", "composited"):
        (cell,) = (
            c for c in found["cells"] if (c["schedule"], c["sweet_spot"], c["output"]) == ("cosine", 7, output)
        )  # fmt: skip
        for name in ("fd_tokenizer", "psnr_hole", "mae_hole"):
            assert cell["scores"][name]["values"][0] == pytest.approx(scores[f"model, {output}"][name], rel=1e-4)
            assert cell["scores"][name]["n"] == 2
    for name in ("grey fill", "diffusion fill", "VQGAN reconstruction, decoded"):
        assert found["references"][name]["fd_tokenizer"] == pytest.approx(scores[name]["fd_tokenizer"], rel=1e-4)


def test_evaluate_measures_the_runs_own_decoder_with_what_is_typed_on_top(made: Made, tmp_path: Path):
    folder = tmp_path / "refreshing"
    folder.mkdir()
    for name in ("checkpoints", "tokenizer.pt"):
        (folder / name).symlink_to(made.folder / name)
    config = (made.folder / "config.yaml").read_text()
    assert "refresh_every: null" in config
    (folder / "config.yaml").write_text(config.replace("refresh_every: null", "refresh_every: 3"))
    arguments = [f"run={folder}", "schedules=[cosine]", "sweet_spots=[7]", "seeds=[0]", "max_images=8"]
    answer = run("evaluate", *arguments, "decode.num_steps=9", cwd=made.cwd, home=made.home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    protocol = json.loads((folder / "evaluation" / "evaluation.json").read_text())["protocol"]
    assert (protocol["refresh_every"], protocol["num_steps"], protocol["choice_temperature"]) == (3, 9, 4.5)


def test_evaluate_says_everything_in_the_protocol(evaluation: Path):
    protocol = json.loads((evaluation / "evaluation.json").read_text())["protocol"]
    assert (protocol["extractor"], protocol["num_true"], protocol["num_outputs"]) == ("tokenizer", 8, 8)
    assert "8 images are fewer than" in protocol["note"]
    assert "8 images are fewer than" in (evaluation / "terminal.txt").read_text()
    assert protocol["split"].startswith("synthetic cats")


def test_evaluate_scores_and_shows_the_prediction_of_all_tokens_at_once(evaluation: Path):
    single = json.loads((evaluation / "evaluation.json").read_text())["single_prediction"]
    assert 0 < single["token_cross_entropy"] < 10
    line = f"All hidden tokens at once: token_cross_entropy {single['token_cross_entropy']:.4g}, token_accuracy "
    for shown in ("terminal.txt", "table.md"):
        assert line in (evaluation / shown).read_text()


def test_evaluate_spreadsheet_has_a_row_per_score(evaluation: Path):
    with (evaluation / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["fill"] for row in rows} >= {"model, decoded", "model, composited", "grey fill", "other real pictures"}
    assert all(np.isfinite(float(row["mean"])) for row in rows)
    assert (evaluation / "table.md").read_text().startswith("## fd_tokenizer, decoded")
    assert np.asarray(Image.open(evaluation / "figures" / "grid.png")).std() > 5


def test_evaluate_puts_the_table_in_the_dashboard_of_the_run(made: Made, evaluation: Path):
    assert "The table is in the run's dashboard" in (evaluation / "terminal.txt").read_text()
    runs = [read_offline_run(path) for path in (made.folder / "wandb").glob("offline-run-*")]
    with_table = [run for run in runs if run.values("evaluation/table/nrows")]
    with (evaluation / "table.csv").open() as file:
        assert with_table[0].values("evaluation/table/nrows") == [len(list(csv.DictReader(file)))]
    assert {run.run_id for run in runs} == {with_table[0].run_id}


def test_evaluate_measures_a_folder_of_outputs_like_a_run(tmp_path: Path):
    truth, holes = pictures(6, seed=1, resolution=64), boxes(6, resolution=64)
    outputs = truth.copy()
    outputs[holes] = 0
    write_pictures(tmp_path / "truth", truth, name="true_{}.png")
    write_pictures(tmp_path / "filled", outputs, name="filled_{}.png")
    write_pictures(tmp_path / "masks", ~holes, name="mask_{}.png")
    torch.manual_seed(0)
    network = TruncatedInception(cut="mixed_6e")
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    metrics = ["metrics=inception_imagenet", f"metrics.extractor.weights={tmp_path / 'weights.pth'}"]
    answer = run(
        "evaluate",
        "outputs=filled",
        "truth=truth",
        "masks=masks",
        "mask_hole=black",
        *metrics,
        cwd=tmp_path,
        home=tmp_path / "home",
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    (cell,) = found["cells"]
    expected = np.mean([truth[i][holes[i]].mean() for i in range(6)])
    assert cell["scores"]["mae_hole"]["mean"] == pytest.approx(expected, rel=1e-4)
    assert cell["schedule"] == "filled"
    assert "grey fill" in found["references"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "evaluate needs either run=RUN_FOLDER or outputs=FOLDER truth=FOLDER"),
        (["outputs=x"], "outputs=FOLDER needs truth=FOLDER"),
        (["run=nowhere"], "nowhere is not a run folder"),
        (["run=nowhere", "max_images=1"], "max_images must be at least 2"),
        (["outputs=x", "truth=y"], "outputs=x: there is no such file or folder"),
    ],
)
def test_evaluate_errors_name_the_key(arguments: list[str], message: str, tmp_path: Path):
    answer = run("evaluate", *arguments, cwd=tmp_path, home=tmp_path)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedules=[round]", "schedules: no mask schedule round; there are arccos, cosine"),
        ("lpips=mine", "lpips must be one of squeeze, alex, vgg or null"),
        ("metrics=inception metrics.extractor.weights=none.pth", "no Inception weights at none.pth"),
    ],
)
def test_evaluate_errors_come_before_the_work(made: Made, override: str, message: str):
    answer = run("evaluate", f"run={made.folder}", *override.split(), cwd=made.cwd, home=made.home)
    assert answer.returncode == 1
    assert message in answer.stderr
