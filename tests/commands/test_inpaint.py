"""What `inpaint` does with people's files: names, trees, checks before the first fill, and nothing of theirs lost."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands import inpaint as command
from maskgit_lab.inpainter import Inpainter
from tests.support.builders import boxes, pictures, write_pictures

RUN = Path(__file__).parents[1] / "fixtures" / "run"


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter.from_run(RUN, device="cpu", num_steps=2)


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, inpainter: Inpainter) -> None:
    monkeypatch.setattr(command, "Inpainter", SimpleNamespace(from_run=lambda *_, **__: inpainter))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "in", pictures(3))
    write_pictures(tmp_path / "m", boxes(3))
    return tmp_path


def fill(folder: Path, *, images: Any = "in", masks: str | None = "m", out: str = "out", **changes: Any) -> list[str]:
    """Run the command and return the names of the composited images, with their folders."""
    places = str(folder / images) if isinstance(images, str) else [str(folder / image) for image in images]
    plain: dict[str, Any] = {"save_steps": False, "animation": False, **changes}
    command.inpaint(
        InpaintConfig(run="run", images=places, masks=masks and str(folder / masks), out=str(folder / out), decode={}, **plain)
    )
    results = folder / out / "composited"
    return sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_inpaint_fills_the_holes_and_nothing_else(folder: Path):
    assert fill(folder) == ["image_000.png", "image_001.png", "image_002.png"]
    for i, hole in enumerate(boxes(3)):
        filled = pixels(folder / "out" / "composited" / f"image_00{i}.png")
        np.testing.assert_array_equal(filled[~hole], pictures(3)[i][~hole])
        assert (filled != pictures(3)[i])[hole].any()
        assert pixels(folder / "out" / "decoded" / f"image_00{i}_1.png").shape == (64, 64, 3)


def test_inpaint_gives_the_same_fills_whatever_is_filled_with_them(folder: Path):
    fill(folder)
    fill(folder, out="one by one", batch_size=1)
    assert content(folder / "out" / "composited") == content(folder / "one by one" / "composited")


def test_inpaint_numbers_the_candidates_of_an_image(folder: Path):
    assert fill(folder, num_samples=2, save_steps=True) == [f"image_00{i}_{k}.png" for i in range(3) for k in (1, 2)]
    for kind in ("decoded", "steps"):
        assert len(list((folder / "out" / kind).iterdir())) == 6
        assert (folder / "out" / kind / "image_001_2_1.png").is_file()
    with pytest.raises(ValueError, match="19 of 19 results are there already"):
        fill(folder, num_samples=2, save_steps=True)


def test_inpaint_keeps_results_of_one_stem_apart(folder: Path):
    for suffix in ("bmp", "jpg"):
        Image.fromarray(pictures(1)[0]).save(folder / "in" / f"image_000.{suffix}")
    names = ["image_000.bmp.bmp", "image_000.jpg.png", "image_000.png.png", "image_001.png", "image_002.png"]
    assert fill(folder, masks=None) == names


def test_inpaint_keeps_the_tree_of_images_and_finds_masks_in_theirs(folder: Path):
    for place in ("a", "a/b"):
        write_pictures(folder / "in" / place, pictures(1))
        write_pictures(folder / "m" / place, boxes(2)[1:])
    names = ["a/b/image_000.png", "a/image_000.png", "image_000.png", "image_001.png", "image_002.png"]
    assert fill(folder, out="in/out", animation=True) == names
    filled = pixels(folder / "in" / "out" / "composited" / "a" / "b" / "image_000.png")
    np.testing.assert_array_equal(filled[~boxes(2)[1]], pictures(1)[0][~boxes(2)[1]])
    for name in ("decoded/a/b/image_000_1.png", "animations/a/image_000.webp", "overview.png"):
        assert (folder / "in" / "out" / name).is_file()
    assert fill(folder, out="in/out", overwrite=True) == names  # results are not taken for images


def test_inpaint_takes_a_list_of_files(folder: Path):
    write_pictures(folder / "more" / "x", pictures(1))
    Image.fromarray(pictures(1)[0]).save(folder / "more" / "b.jpg")
    assert fill(folder, images=["in/image_001.png", "more/b.jpg"], masks=None) == ["b.png", "image_001.png"]
    same = ["in/image_000.png", "more/x/image_000.png"]
    assert fill(folder, images=same, masks=None, out="same") == ["in/image_000.png", "more/x/image_000.png"]
    Image.fromarray(boxes(1)[0]).save(folder / "m" / "b.png")
    assert fill(folder, images=["in/image_001.png", "more/b.jpg"], out="masked") == ["b.png", "image_001.png"]
    for images, message in (([*same, same[0]], "1 of 3 files in the list are there twice"), ([*same, "in"], "in is a folder")):
        with pytest.raises(ValueError, match=message):
            fill(folder, images=images, masks=None, out="other")


def test_inpaint_replaces_results_only_when_told(folder: Path):
    fill(folder)
    (folder / "out" / "decoded" / "image_000_7.png").write_bytes(b"of an earlier fill with more holes")
    before = content(folder)
    message = r"out: 8 of 8 results are there already: .*overview.png, .* and 3 more. .*overwrite=true"
    with pytest.raises(ValueError, match=message):
        fill(folder, mask_hole="black", max_hole_share=1.0)
    assert content(folder) == before
    fill(folder, mask_hole="black", max_hole_share=1.0, overwrite=True)
    assert content(folder) != before
    assert not (folder / "out" / "decoded" / "image_000_7.png").exists()


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
    with pytest.raises(ValueError, match=r"strategy=original takes images of 64x64 pixels only, and 2 of 2 are others: .*32x32"):
        fill(folder, skip_bad=True, strategy="original")
    assert not (folder / "out").exists()
    assert fill(folder, skip_bad=True) == ["image_000.png", "image_001.png"]
    assert fill(folder, skip_bad=True, masks=None, out="drawn") == ["image_000.png", "image_001.png"]


def test_inpaint_refuses_masks_that_look_inverted(folder: Path):
    with pytest.raises(ValueError, match=r"3 of 3 masks have more than 60% .* use mask_hole=white. .*: max_hole_share=1"):
        fill(folder, mask_hole="black")
    assert not (folder / "out").exists()


def test_inpaint_tells_images_and_masks_in_one_folder_apart(folder: Path):
    write_pictures(folder / "in", boxes(3), name="image_{:03d}_mask.png")
    with pytest.raises(ValueError, match=r"images: 3 files in .* are masks of others"):
        fill(folder, masks=None)
    assert fill(folder, masks="in") == ["image_000.png", "image_001.png", "image_002.png"]


def test_inpaint_pairs_by_the_suffix_that_it_is_told(folder: Path):
    write_pictures(folder / "in", boxes(3), name="image_{:03d}-x.png")
    assert fill(folder, masks="in", mask_suffix="-x") == ["image_000.png", "image_001.png", "image_002.png"]


def test_inpaint_takes_one_image_with_one_mask_of_any_names(folder: Path):
    (folder / "m" / "image_000.png").rename(folder / "hole.png")
    assert fill(folder, images="in/image_000.png", masks="hole.png") == ["image_000.png"]


def test_inpaint_scales_masks_of_the_images_proportions_and_says_so_once(folder: Path, caplog: pytest.LogCaptureFixture):
    write_pictures(folder / "m", boxes(3).repeat(2, 1).repeat(2, 2))
    with caplog.at_level("INFO", logger="maskgit_lab"):
        fill(folder)
    assert [line for line in caplog.messages if "scaled" in line] == [
        "Warning: 3 of 3 masks have another size than their images and were scaled to it: "
        "image_000.png, image_001.png, image_002.png"
    ]
    np.testing.assert_array_equal(
        pixels(folder / "out" / "composited" / "image_001.png")[~boxes(2)[1]], pictures(2)[1][~boxes(2)[1]]
    )
    Image.new("L", (32, 30)).save(folder / "m" / "image_000.png")
    with pytest.raises(ValueError, match=r"image_000.png \(mask image_000.png: 32x30 pixels, but its image has 32x32"):
        fill(folder, overwrite=True)


def test_inpaint_bounds_images_by_its_key(folder: Path):
    with pytest.raises(ValueError, match=r"32x32 pixels, more than max_pixels=1000, which can be raised"):
        fill(folder, max_pixels=1000)


def test_inpaint_says_in_one_line_what_is_where(folder: Path, caplog: pytest.LogCaptureFixture):
    Image.fromarray(pictures(1)[0]).save(folder / "in" / "image_000.jpg")
    with caplog.at_level("INFO", logger="maskgit_lab"):
        fill(folder, masks=None, save_steps=True, animation=True)
    said = caplog.messages[-1]
    for part in (
        "4 images filled in ",
        f"in {folder / 'out'}: overview.png, composited/",
        "steps/",
        "animations/",
        "1 came as JPEG",
    ):
        assert part in said


def test_inpaint_warns_once_of_fills_that_are_enlarged_much(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for i, side in enumerate((600, 640)):
        write_pictures(tmp_path / "in", pictures(1, resolution=side), name=f"image_{i}.png")
        hole = np.zeros((1, side, side), bool)
        hole[:, 100:400, 100:400] = True
        write_pictures(tmp_path / "m", hole, name=f"image_{i}.png")
    fill(tmp_path, batch_size=1)
    assert sum("enlarged" in line for line in caplog.messages) == 1
