"""A tab on the page, in a headless Chromium: open, paint, fill, look."""

import io
import time
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.browser import AXE, POOR_CONTRAST, SHOWN, UNNAMED
from tests.support.page_requests import file_of, noise

SIZE = (96, 64)  # of the image
WAIT = 20_000  # milliseconds
STATE = "document.getElementById('main').dataset.state"
FOCUS = "document.activeElement"
STEP = "document.getElementById('step-text').value"
STATUS = "document.getElementById('status').textContent"


class Visit:
    """A tab on the page; what it asks for, and what goes wrong in it, is noted."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, "reduced_motion": "reduce", **options})
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(WAIT)
        self.wrong: list[str] = []
        self.asked: set[str] = set()
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("console", lambda line: self.wrong.append(line.text) if line.type in ("error", "warning") else None)
        self.tab.on("request", lambda request: self.asked.add(request.url))
        self.tab.goto(address)
        self.tab.wait_for_selector("#examples img")
        self.address = address

    def end(self) -> None:
        """Check what holds for every visit: nothing from elsewhere is asked for, nothing went wrong in the browser."""
        self.context.close()
        assert not [url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))]
        # a refused file is said in the console, too, and that these tests read pixels back
        assert not [text for text in self.wrong if "status of 4" not in text and "willReadFrequently" not in text]

    def until(self, true: str) -> None:
        """Wait until a JavaScript expression is true; Playwright's own way is forbidden by the page's policy."""
        ends = time.monotonic() + WAIT / 1000
        while not self.tab.evaluate(true):
            assert time.monotonic() < ends, true
            time.sleep(0.02)

    def open(self, content: bytes, name: str = "noise.png") -> None:
        self.tab.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})

    def opened(self, image: Image.Image | None = None) -> Image.Image:
        image = image or noise(*SIZE)
        self.open(file_of(image))
        self.until(f"{STATE} === 'paint'")
        return image

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the image is on the canvas: the whole image is shown, with 14 pixels around it."""
        box = self.tab.locator("#canvas").bounding_box()
        scale = min((box["width"] - 28) / SIZE[0], (box["height"] - 28) / SIZE[1])
        left, top = (box["width"] - SIZE[0] * scale) / 2, (box["height"] - SIZE[1] * scale) / 2
        return left + x * scale, top + y * scale

    def paint_box(self, left: int, top: int, right: int, bottom: int) -> None:
        self.tab.locator("input[value=box]").check()
        box = self.tab.locator("#canvas").bounding_box()
        (x0, y0), (x1, y1) = self.place(left + 0.1, top + 0.1), self.place(right - 0.1, bottom - 0.1)
        self.tab.mouse.move(box["x"] + x0, box["y"] + y0)
        self.tab.mouse.down()
        self.tab.mouse.move(box["x"] + x1, box["y"] + y1, steps=3)
        self.tab.mouse.up()

    def fill(self) -> None:
        self.tab.locator("#fill").click()
        self.until(f"{STATE} === 'result'")

    def download(self) -> Image.Image:
        with self.tab.expect_download() as waiting:
            self.tab.locator("#download").click()
        return Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes()))

    def shown(self, x: float, y: float) -> list[int]:
        """Return the colour on the screen over a pixel of the image, when the next frame is drawn."""
        self.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.tab.evaluate(SHOWN, list(self.place(x, y)))[:3]


def check_access(visit: Visit) -> None:
    """Check that controls have names, texts contrast, and what axe-core looks for, where it is."""
    assert visit.tab.evaluate(UNNAMED) == []
    assert visit.tab.evaluate(POOR_CONTRAST) == []
    if AXE.is_file():
        visit.tab.evaluate(AXE.read_text(encoding="utf-8"))
        found = visit.tab.evaluate("async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])")
        assert found == []
