"""`inpaint` and the ways in which images are stored: size, mode, format and known pixels stay; figures are of a readable size."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands import inpaint as command
from maskgit_lab.inpainter import Inpainter
from tests.support.builders import pictures
from tests.support.commands import run

RUN = Path(__file__).parents[1] / "fixtures" / "run"
WIDTH, HEIGHT = 90, 70
HOLE = (20, 10, 45, 30)  # left, top, right, bottom, as a viewer shows it
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter.from_run(RUN, device="cpu", num_steps=3)


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, inpainter: Inpainter) -> None:
    monkeypatch.setattr(command, "Inpainter", SimpleNamespace(from_run=lambda *_, **__: inpainter))


def fill(folder: Path, image: Path, *, masks: Path | None = None, **changes: Any) -> Path:
    """Fill one image and return its result."""
    plain: dict[str, Any] = {"save_steps": False, "animation": False, **changes}
    told = InpaintConfig(
        run="run", images=str(image), masks=str(masks) if masks else None, out=str(folder / "out"), decode={}, **plain
    )  # fmt: skip
    command.inpaint(told)
    (result,) = (folder / "out" / "composited").iterdir()
    return result


def mask(folder: Path, *, width: int = WIDTH, height: int = HEIGHT) -> Path:
    image = Image.new("L", (width, height))
    image.paste(255, HOLE)
    image.save(folder / "mask.png")
    return folder / "mask.png"


def colours(mode: str) -> Image.Image:
    """Return an image of smooth colours in a mode."""
    picture = Image.fromarray(pictures(1, resolution=96)[0][:HEIGHT, :WIDTH])
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 251)
    if mode in ("RGBA", "LA"):
        image = picture.convert(mode)
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        return image
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind", "suffix", "result"),
    [
        ("RGB", "PNG", ".png", ("PNG", ".png")), ("RGBA", "PNG", ".PNG", ("PNG", ".PNG")), ("LA", "PNG", ".png", ("PNG", ".png")),
        ("L", "PNG", ".png", ("PNG", ".png")), ("1", "PNG", ".png", ("PNG", ".png")), ("P", "PNG", ".png", ("PNG", ".png")),
        ("I;16", "PNG", ".png", ("PNG", ".png")), ("I;16", "TIFF", ".tiff", ("TIFF", ".tiff")),
        ("RGB", "TIFF", ".tif", ("TIFF", ".tif")), ("CMYK", "TIFF", ".tif", ("TIFF", ".tif")),
        ("RGB", "WEBP", ".webp", ("WEBP", ".webp")), ("RGBA", "WEBP", ".webp", ("WEBP", ".webp")),
        ("RGB", "BMP", ".bmp", ("BMP", ".bmp")), ("P", "GIF", ".gif", ("PNG", ".png")), ("RGB", "PPM", ".ppm", ("PNG", ".png")),
        ("RGB", "JPEG", ".jpg", ("PNG", ".png")), ("L", "JPEG", ".jpeg", ("PNG", ".png")),
        ("CMYK", "JPEG", ".jpg", ("TIFF", ".tif")), ("RGB", "JPEG", ".png", ("PNG", ".png")),
        ("RGB", "TIFF", ".png", ("TIFF", ".tif")),
    ],
)  # fmt: skip
def test_inpaint_keeps_mode_format_and_every_known_pixel(
    tmp_path: Path, mode: str, kind: str, suffix: str, result: tuple[str, str]
):
    options = {"lossless": True} if kind == "WEBP" else {}
    colours(mode).save(tmp_path / f"photo{suffix}", format=kind, dpi=(300, 300), **options)
    path = fill(tmp_path, tmp_path / f"photo{suffix}", masks=mask(tmp_path))
    with Image.open(tmp_path / f"photo{suffix}") as given, Image.open(path) as filled:
        assert (filled.format, path.suffix) == result
        assert (filled.mode, filled.size) == (given.mode, given.size)
        before, after = np.asarray(given), np.asarray(filled)
        same = before == after if before.ndim == 2 else (before == after).all(-1)
        if given.mode == "P":
            assert (given.getpalette("RGBA") or [])[: 4 * 16] == (filled.getpalette("RGBA") or [])[: 4 * 16]
        if "dpi" in given.info and kind in ("PNG", "TIFF"):
            assert filled.info["dpi"] == pytest.approx(given.info["dpi"], abs=0.1)
    left, top, right, bottom = HOLE
    assert not same[top:bottom, left:right].all()
    same[top:bottom, left:right] = True
    assert same.all()


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("TIFF", ".tif"), ("WEBP", ".webp")])
def test_inpaint_turns_nothing_that_exif_turns(tmp_path: Path, kind: str, suffix: str):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # stored lying: a viewer shows HEIGHT x WIDTH
    options = {"lossless": True} if kind == "WEBP" else {}
    colours("RGB").save(tmp_path / f"photo{suffix}", format=kind, exif=exif, **options)
    path = fill(tmp_path, tmp_path / f"photo{suffix}", masks=mask(tmp_path, width=HEIGHT, height=WIDTH))
    with Image.open(tmp_path / f"photo{suffix}") as given, Image.open(path) as filled:
        changed = (np.asarray(given) != np.asarray(filled)).any(-1)
        orientation = given.getexif().get(ORIENTATION, 1)
        assert filled.getexif().get(ORIENTATION, 1) == orientation
        assert orientation == (1 if kind == "TIFF" else 6)  # Pillow turns TIFF when it decodes it
    shown = changed if orientation == 1 else np.rot90(changed, -1)  # as a viewer does
    left, top, right, bottom = HOLE
    assert shown[top:bottom, left:right].any()
    shown[top:bottom, left:right] = False
    assert not shown.any()


def test_inpaint_fills_what_is_transparent(tmp_path: Path):
    image = np.dstack([np.asarray(colours("RGB")), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    left, top, right, bottom = HOLE
    image[top:bottom, left:right, 3] = 0
    Image.fromarray(image).save(tmp_path / "photo.png")
    with Image.open(fill(tmp_path, tmp_path / "photo.png", mask_hole="alpha")) as filled:
        assert filled.mode == "RGBA"
        result = np.asarray(filled)
    assert (result[..., 3] == 255).all()
    known = image[..., 3] == 255
    np.testing.assert_array_equal(result[known], image[known])
    colours("RGB").save(tmp_path / "opaque.png")
    with pytest.raises(ValueError, match="no transparency, but mask_hole=alpha"):
        fill(tmp_path, tmp_path / "opaque.png", mask_hole="alpha")


def test_inpaint_grows_the_canvas(tmp_path: Path):
    colours("L").save(tmp_path / "photo.png")
    result = fill(tmp_path, tmp_path / "photo.png", expand=[5, 0, 30, 8], animation=True)
    with Image.open(result) as filled:
        assert (filled.mode, filled.size) == ("L", (WIDTH + 35, HEIGHT + 8))
        np.testing.assert_array_equal(np.asarray(filled)[:HEIGHT, 5 : 5 + WIDTH], np.asarray(colours("L")))
        assert np.asarray(filled)[:, -30:].std() > 0


def test_inpaint_says_where_it_reads_less_than_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    sixteen = tmp_path / "deep.tif"
    values = np.asarray(colours("RGB")).astype("<u2") * 257
    write_rgb16_tiff(sixteen, values)
    with Image.open(fill(tmp_path, sixteen, masks=mask(tmp_path))) as filled:
        assert filled.mode == "RGB"
    assert "1 of 1 images have 16 bits per colour, of which 8 are read: their results have 8: deep.tif" in caplog.text
    pages = [colours("RGB"), colours("RGB")]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    fill(tmp_path / "b", tmp_path / "pages.tif", masks=mask(tmp_path))
    assert "1 of 1 files hold several images, of which the first is filled and written: pages.tif" in caplog.text


def write_rgb16_tiff(path: Path, values: np.ndarray) -> None:
    """Write 16 bits per colour, which Pillow cannot: a header, one directory of tags, and the pixels."""
    height, width = values.shape[:2]
    data, start = values.tobytes(), 8
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, start + len(data)), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, start), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    bits = np.array([16, 16, 16], "<u2").tobytes()
    directory = np.uint16(len(tags)).tobytes()
    for number, kind, count, value in tags:
        directory += np.array([number, kind], "<u2").tobytes() + np.array([count, value], "<u4").tobytes()
    place = start + len(data) + len(bits)
    header = b"II*\0" + np.uint32(place).tobytes()
    path.write_bytes(header + data + bits + directory + b"\0\0\0\0")


@pytest.mark.parametrize(("width", "height"), [(40, 30), (1400, 500), (300, 2400)])
def test_inpaint_draws_figures_of_a_readable_size(tmp_path: Path, width: int, height: int):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    hole = Image.new("L", (width, height))
    left, top = width // 3, height // 3
    hole.paste(255, (left, top, left + min(width // 6, 60) + 1, top + min(height // 4, 60) + 1))
    hole.save(tmp_path / "mask.png")
    fill(tmp_path, tmp_path / "photo.png", masks=tmp_path / "mask.png", animation=True, save_steps=True)
    with Image.open(tmp_path / "out" / "overview.png") as sheet:
        assert 250 < sheet.width < 2600
        assert 80 < sheet.height < 600
    with Image.open(tmp_path / "out" / "animations" / "photo.webp") as film:
        assert num_frames(film) == 4  # the input, two of three steps, and the result, which the third step gives
        assert min(200, 4 * max(width, height)) <= max(film.size) <= 640
        durations = []
        frames = []
        for number in range(num_frames(film)):
            film.seek(number)
            film.load()
            durations.append(film.info["duration"])
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    assert durations[-1] > 2000 > durations[1] == durations[2]
    assert np.abs(frames[1] - frames[-1]).max() > 20  # the hole changes


def num_frames(film: Any) -> int:
    return int(film.n_frames)


def test_inpaint_animates_scratches_from_grey(tmp_path: Path):
    Image.fromarray(np.full((300, 300, 3), (200, 60, 60), np.uint8)).save(tmp_path / "photo.png")
    hole = Image.new("L", (300, 300))
    hole.paste(255, (30, 100, 270, 108))
    hole.save(tmp_path / "mask.png")
    fill(tmp_path, tmp_path / "photo.png", masks=tmp_path / "mask.png", animation=True)
    with Image.open(tmp_path / "out" / "animations" / "photo.webp") as film:
        film.seek(1)
        frame = np.asarray(film.convert("RGB")).astype(int)
    scale = len(frame) / 300
    inside = frame[int(102 * scale) : int(106 * scale), int(40 * scale) : int(260 * scale)]
    assert (np.abs(inside - 128).max(-1) < 40).mean() > 0.3


def test_inpaint_repairs_a_scratch_in_a_large_photo_from_the_shell(tmp_path: Path):
    photo = np.random.default_rng(1).integers(0, 256, (500, 800, 3), dtype=np.uint8)
    hole = np.zeros((500, 800), bool)
    hole[200:206, 250:510] = True
    (tmp_path / "my photos" / "2,024").mkdir(parents=True)
    Image.fromarray(photo).save(tmp_path / "my photos" / "2,024" / "beach.png")
    marked = np.where(hole[..., None], np.array([255, 0, 0], np.uint8), photo // 2)
    Image.fromarray(marked).save(tmp_path / "scratch.png")
    places = ("images=['my photos/2,024/beach.png']", "masks=scratch.png", "mask_hole=#ff0000")
    answer = run("inpaint", f"run={RUN}", *places, "out=filled", "decode.num_steps=2", cwd=tmp_path, home=tmp_path)
    assert answer.returncode == 0, answer.stderr
    filled = np.asarray(Image.open(tmp_path / "filled" / "composited" / "beach.png"))
    assert filled.shape == photo.shape
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    assert (filled != photo)[hole].any(-1).mean() > 0.9
    assert "1 image filled in " in answer.stdout
    for name in ("overview.png", "animations/beach.webp", "decoded/beach_1.png", "steps/beach_1.png"):
        assert (tmp_path / "filled" / name).is_file()
    again = run("inpaint", f"run={RUN}", *places, "out=filled", cwd=tmp_path, home=tmp_path)
    assert again.returncode == 1
    assert "results are there already" in again.stderr
    wrong = run(
        "inpaint", f"run={RUN}", "images=scratch.png", "masks=scratch.png", "mask_blend_pixels=4", cwd=tmp_path, home=tmp_path
    )
    assert "did you mean decode.mask_blend_pixels?" in wrong.stderr
