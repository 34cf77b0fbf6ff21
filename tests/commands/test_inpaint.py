"""What `inpaint` does with people's files, with a model that paints holes red."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands import inpaint as command
from maskgit_lab.repair.filled import FilledArrays
from tests.support.builders import boxes, pictures, write_pictures

RED = np.array([255, 0, 0], np.uint8)


class RedInpainter:
    """Fill every hole with red."""

    resolution = 32

    def __call__(self, images: np.ndarray, masks: np.ndarray, *, num_samples: int, steps: bool, first: int) -> SimpleNamespace:
        fills = [np.where(masks[..., None], RED - np.array([k, 0, 0], np.uint8), images) for k in range(num_samples)]
        nothing = np.empty((0, *images.shape), np.uint8), np.empty((0, len(images), 8, 8), bool)
        return SimpleNamespace(arrays=lambda candidate: FilledArrays(fills[candidate], fills[candidate], *nothing))


@pytest.fixture(autouse=True)
def without_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Inpainter", SimpleNamespace(from_run=lambda *_, **__: RedInpainter()))
    monkeypatch.setattr(command, "_overview", lambda path, *_: path.touch())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "in", pictures(3))
    write_pictures(tmp_path / "m", boxes(3))
    return tmp_path


def fill(folder: Path, *, images: str = "in", masks: str | None = "m", out: str = "out", **changes: Any) -> list[str]:
    """Run the command and return the names of the composited images."""
    config = InpaintConfig(
        run="run", images=str(folder / images), masks=masks and str(folder / masks), out=str(folder / out), decode={},
        save_steps=False, **changes,
    )  # fmt: skip
    command.inpaint(config)
    return sorted(path.name for path in (folder / out / "composited").iterdir())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_inpaint_fills_the_holes_and_nothing_else(folder: Path):
    assert fill(folder) == ["image_000.png", "image_001.png", "image_002.png"]
    for i in range(3):
        filled = np.asarray(Image.open(folder / "out" / "composited" / f"image_00{i}.png"))
        np.testing.assert_array_equal(filled, np.where(boxes(3)[i][..., None], RED, pictures(3)[i]))


def test_inpaint_numbers_the_candidates_of_a_hole(folder: Path):
    assert fill(folder, num_samples=2) == [f"image_00{i}_{k}.png" for i in range(3) for k in (1, 2)]
    for k in (1, 2):
        filled = np.asarray(Image.open(folder / "out" / "composited" / f"image_001_{k}.png"))
        assert filled[boxes(3)[1]][:, 0].max() == 256 - k
    with pytest.raises(ValueError, match="13 of 13 results are there already"):
        fill(folder, num_samples=2)


def test_inpaint_keeps_results_of_one_stem_apart(folder: Path):
    Image.fromarray(pictures(1)[0]).save(folder / "in" / "image_000.bmp")
    assert fill(folder, masks=None) == ["image_000.bmp.png", "image_000.png.png", "image_001.png", "image_002.png"]


def test_inpaint_replaces_results_only_when_told(folder: Path):
    fill(folder)
    before = content(folder)
    with pytest.raises(ValueError, match=r"out: 7 of 7 results are there already: .*overview.png, .* and 2 more. .*overwrite=true"):
        fill(folder, mask_hole="black")
    assert content(folder) == before
    fill(folder, mask_hole="black", overwrite=True)
    assert content(folder) != before


@pytest.mark.parametrize(("images", "out"), [("in", "in"), ("in", "m"), ("out/composited", "out")])
def test_inpaint_never_writes_into_its_inputs(folder: Path, images: str, out: str):
    fill(folder)
    before = content(folder)
    with pytest.raises(ValueError, match=r"out: "):
        fill(folder, images=images, out=out, overwrite=True)
    assert content(folder) == before


def test_inpaint_checks_everything_before_it_writes(folder: Path):
    (folder / "in" / "image_002.png").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"1 of 3 files cannot be used: .*image_002.png .*: skip_bad=true"):
        fill(folder)
    assert not (folder / "out").exists()
    assert fill(folder, skip_bad=True) == ["image_000.png", "image_001.png"]
    assert fill(folder, skip_bad=True, masks=None, out="drawn") == ["image_000.png", "image_001.png"]


def test_inpaint_tells_images_and_masks_in_one_folder_apart(folder: Path):
    write_pictures(folder / "in", boxes(3), name="image_{:03d}_mask.png")
    with pytest.raises(ValueError, match=r"images: 3 files in .* are masks of others"):
        fill(folder, masks=None)
    assert fill(folder, masks="in") == ["image_000.png", "image_001.png", "image_002.png"]


def test_inpaint_takes_one_image_with_one_mask_of_any_names(folder: Path):
    (folder / "m" / "image_000.png").rename(folder / "hole.png")
    assert fill(folder, images="in/image_000.png", masks="hole.png") == ["image_000.png"]


def test_inpaint_bounds_images_by_its_key(folder: Path):
    with pytest.raises(ValueError, match=r"32x32 pixels, more than max_pixels=1000, which can be raised"):
        fill(folder, max_pixels=1000)
