"""The lab's two files without a run folder: Table 1 with its figures, and fills."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.builders import boxes, pictures, write_pictures
from tests.support.commands import run
from tests.support.lab_files import write_lab_files

pytestmark = [pytest.mark.slow]
SIDE = 32  # pixels, of 8 x 8 tokens: the size is nowhere typed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lab's two files and its folder of cats, both small."""
    folder = tmp_path_factory.mktemp("lab")
    write_lab_files(folder, grid=SIDE // 4)
    truth, holes = pictures(4, seed=3), boxes(4)
    write_pictures(folder / "cats" / "train", pictures(6, seed=1))
    write_pictures(folder / "cats" / "val", pictures(4, seed=2))
    write_pictures(folder / "cats" / "test_gt", truth)
    write_pictures(folder / "cats" / "masked_image", np.where(holes[..., None], np.uint8(128), truth))
    write_pictures(folder / "cats" / "mask64", ~holes)
    return folder


@pytest.fixture(scope="module")
def printed(place: Path) -> str:
    arguments = ["vqgan=VQGAN.pt", "transformer=ckpt.pt", "data=cat_faces", "data.root=cats", "seeds=[0,1]", "sweet_spots=[3,7]"]
    answer = run("evaluate", *arguments, "device=cpu", cwd=place, home=place / "home")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_evaluate_of_the_labs_files_prints_table_1_with_floors_ceilings_and_a_verdict(place: Path, printed: str):
    for part in ("linear  ", "cosine  ", "square", "grey fill", "diffusion fill", "VQGAN reconstruction, decoded", "other real"):
        assert part in printed
    found = json.loads((place / "evaluation" / "evaluation.json").read_text())
    assert len(found["cells"]) == 3 * 2 * 2
    assert all(cell["scores"]["mae_hole"]["n"] == 2 for cell in found["cells"])
    assert (found["protocol"]["vqgan"], found["protocol"]["transformer"]) == ("VQGAN.pt", "ckpt.pt")
    assert (found["protocol"]["num_steps"], found["protocol"]["choice_temperature"]) == (7, 4.5)
    assert any("the diffusion fill" in sentence for sentence in found["verdict"])
    for sentence in found["verdict"]:
        assert sentence in printed
    assert "no better than guessing among 24 codes" in printed  # its weights are new


def test_evaluate_of_the_labs_files_writes_the_labs_figures(place: Path, printed: str):
    names = sorted(path.name for path in (place / "evaluation" / "figures").glob("figure_*.png"))
    assert names == [
        "figure_1_linear_masks.png", "figure_2_linear_predictions.png", "figure_3_cosine_masks.png",
        "figure_4_cosine_predictions.png", "figure_5_square_masks.png", "figure_6_square_predictions.png", "figure_8_fills.png",
    ]  # fmt: skip
    for name in names:
        assert f"figures/{name}" in printed
        assert np.asarray(Image.open(place / "evaluation" / "figures" / name)).std() > 5


def test_evaluate_of_the_labs_files_replaces_nothing_unasked(place: Path, printed: str):
    arguments = ["vqgan=VQGAN.pt", "transformer=ckpt.pt", "data=cat_faces", "data.root=cats"]
    answer = run("evaluate", *arguments, cwd=place, home=place / "home")
    assert answer.returncode == 1
    assert "results are there already" in answer.stderr


def test_inpaint_takes_the_labs_two_files(place: Path):
    arguments = ["vqgan=VQGAN.pt", "transformer=ckpt.pt", "images=cats/test_gt", "masks=cats/mask64", "mask_hole=black"]
    answer = run("inpaint", *arguments, "out=filled", "device=cpu", cwd=place, home=place / "home")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    filled = np.asarray(Image.open(place / "filled" / "composited" / "image_001.png"))
    np.testing.assert_array_equal(filled[~boxes(4)[1]], pictures(4, seed=3)[1][~boxes(4)[1]])
