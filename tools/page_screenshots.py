"""Make docs/images/app.jpg and app_phone.jpg: the page while a run on the embedded data (`make demo`) fills holes in painted cats.

python -m tools.page_screenshots runs/cosine/RUN
"""

import argparse
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskgit_lab.data.synthetic_cats import render_cats

OUT = Path(__file__).resolve().parents[1] / "docs" / "images"
CATS_SEED = 900  # of painted cats that no run has seen: runs take seeds 0, 1, 2, ... of the painter
CAT_SIDE = 240  # pixels of each cat in the wide image
ROWS = [(0, 1, 2), (3, 4, 5)]  # its cats
DESK = {"viewport": {"width": 1200, "height": 775}}
DESK_SHOWN, DESK_LINES = 1200, 610  # pixels of it: below is nothing while a fill runs
PHONE = {"viewport": {"width": 390, "height": 836}, "has_touch": True, "is_mobile": True}
GAP = 16  # pixels between phones
QUALITY = 88  # of JPEG
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
Point = tuple[float, float]


@contextmanager
def served(run: Path) -> Iterator[str]:
    """Serve a run's page and yield its address."""
    command = [sys.executable, "-m", "maskgit_lab.app", f"run={run}", "port=0", "device=cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next(filter(None, map(ADDRESS.search, process.stdout)), None)
            if found is None:
                raise SystemExit(f"{' '.join(command)} ended before it served")
            yield found[0]
        finally:
            process.terminate()


class Page:
    """A tab in which somebody paints and fills."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int], **options: Any) -> None:
        self.tab = browser.new_context(**options).new_page()
        self.size = size
        self.tab.goto(address)
        self.tab.wait_for_selector("#examples img")

    def open(self, image: Image.Image) -> None:
        file = io.BytesIO()
        image.save(file, "PNG")
        self.tab.set_input_files("#file", {"name": "cats.png", "mimeType": "image/png", "buffer": file.getvalue()})
        self.tab.wait_for_selector("main[data-state=paint]")

    def stroke(self, points: Sequence[Point], *, size: int) -> None:
        """Paint through points, given as shares of the image, with the slider of the brush at `size`."""
        self.tab.evaluate(
            "(size) => { const s = document.getElementById('size'); s.value = size; s.dispatchEvent(new Event('input')); }", size
        )
        box = self.tab.locator("#canvas").bounding_box()
        scale = min((box["width"] - 28) / self.size[0], (box["height"] - 28) / self.size[1])  # 14 pixels are around the image
        shift = (box["width"] - self.size[0] * scale) / 2, (box["height"] - self.size[1] * scale) / 2
        places = [
            (box["x"] + shift[0] + x * self.size[0] * scale, box["y"] + shift[1] + y * self.size[1] * scale) for x, y in points
        ]
        self.tab.mouse.move(*places[0])
        self.tab.mouse.down()
        for place in places[1:]:
            self.tab.mouse.move(*place, steps=8)
        self.tab.mouse.up()
        self.tab.mouse.move(0, 0)
        self.tab.evaluate("document.activeElement.blur()")

    def choose(self, name: str, value: str) -> None:
        self.tab.evaluate(
            "([id, value]) => { const e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event('input')); }",
            [name, value],
        )

    def fill(self, *, until: float) -> None:
        """Begin a fill, and come back when this share of it is seen; 1 = all of it."""
        self.tab.locator("#fill").click()
        state = "document.getElementById('main').dataset.state"
        share = "document.getElementById('progress').getAttribute('value') / document.getElementById('progress').max"
        while self.tab.evaluate(f"{state} !== 'result' && (!({share}) || {share} < {until} || {until} === 1)"):
            pass

    def shot(self) -> Image.Image:
        return Image.open(io.BytesIO(self.tab.screenshot())).convert("RGB")


def desk(browser: Any, address: str) -> Image.Image:
    """Return the page on a wide screen: three holes in six cats while they are filled."""
    cats = render_cats(CATS_SEED, range(6), CAT_SIDE)
    wide = Image.fromarray(np.concatenate([np.concatenate(cats[list(row)], 1) for row in ROWS]))
    page = Page(browser, address, wide.size, **DESK)
    page.open(wide)
    page.stroke([(0.1, 0.2), (0.22, 0.3)], size=62)
    page.stroke([(0.42, 0.63), (0.5, 0.78), (0.58, 0.7)], size=66)
    page.stroke([(0.78, 0.12), (0.9, 0.22)], size=66)
    page.choose("num_steps", "12")
    page.choose("token_temperature", "0.7")
    page.fill(until=0.62)
    return page.shot().crop((0, 0, DESK_SHOWN, DESK_LINES))


def phones(browser: Any, address: str, resolution: int) -> Image.Image:
    """Return the page on a phone: a hole is painted; in the dark it is filled; and the result."""
    (cat,) = render_cats(CATS_SEED, [6], resolution)
    shots = []
    for scheme, until in (("light", 0.0), ("dark", 0.55), ("light", 1.0)):
        page = Page(browser, address, (resolution, resolution), color_scheme=scheme, **PHONE)
        page.open(Image.fromarray(cat))
        page.stroke([(0.3, 0.3), (0.45, 0.35)], size=74)
        page.choose("num_steps", "12")
        if until:
            page.choose("token_temperature", "0.7")
            page.fill(until=until)
        if until == 1:
            page.choose("step", "8")
        shots.append(page.shot())
    width, height = shots[0].size
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height), "#8a8a8f")
    for i, shot in enumerate(shots):
        sheet.paste(shot, (i * (width + GAP), 0))
    return sheet


def main() -> None:
    """Write the screenshots of the run that the command line names."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of `train` on the embedded data")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the images")
    arguments = parser.parse_args()
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("no chromium here: `make browser` installs it where apt can")
    with sync_playwright() as driver, served(arguments.run) as address:
        browser = driver.chromium.launch(executable_path=program, args=["--disable-gpu", "--no-sandbox"])
        answer = browser.new_context().request.get(f"{address}api/about")
        images = {"app": desk(browser, address), "app_phone": phones(browser, address, answer.json()["resolution"])}
        browser.close()
    for name, image in images.items():
        path = arguments.out / f"{name}.jpg"
        image.save(path, quality=QUALITY, optimize=True)
        print(f"{path}: {image.width} x {image.height}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
