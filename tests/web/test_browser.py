"""The page as people use it, in a headless Chromium without WebGL: mouse, finger and keyboard; wide, narrow, light and dark."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import served_from_a_thread
from tests.support.page_requests import box_hole, file_of, noise
from tests.support.page_server import COLOURS, StandIn, page
from tests.support.visit import FOCUS, SIZE, STATE, STATUS, STEP, Visit, check_access

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SLOW_STEP = 0.02  # seconds, so that a fill can be watched and cancelled
SMALL = """() => [...document.querySelectorAll("button, select, .segments label")].filter((one) => one.checkVisibility())
  .map((one) => [one.id, one.getBoundingClientRect()]).filter(([, box]) => box.width < 24 || box.height < 24).map(([id]) => id)"""
GIVE = """([name, octets]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(octets)], `${name}.png`, { type: "image/png" }));
  const init = { bubbles: true, clipboardData: data, dataTransfer: data };
  document.body.dispatchEvent(name === "paste" ? new ClipboardEvent(name, init) : new DragEvent(name, init));
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served_from_a_thread(lambda: page(StandIn(seconds=SLOW_STEP), max_upload_bytes=100_000)) as found:
        yield found


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    made = Visit(browser, address)
    yield made
    made.end()


def test_browser_paints_fills_watches_and_downloads_without_webgl(visit: Visit):
    tab = visit.tab
    assert tab.evaluate("() => document.createElement('canvas').getContext('webgl')") is None
    given, hole = visit.opened(), box_hole(*SIZE, (30, 20, 50, 40))
    assert tab.locator("#fill").is_disabled()
    visit.paint_box(30, 20, 50, 40)
    visit.fill()
    assert tab.locator("#status").inner_text().startswith("3 candidates in ")
    image = visit.download()
    assert image.size == SIZE
    assert np.array_equal(np.asarray(image)[~hole], np.asarray(given)[~hole])
    assert (np.asarray(image)[hole] == COLOURS[0]).all()
    assert visit.shown(40.5, 30.5) == list(COLOURS[0])
    seen = []
    for step in range(4):
        tab.locator("#step").fill(str(step))
        seen.append((tab.locator("#step-text").inner_text(), tuple(visit.shown(40.5, 30.5))))
    assert [text.split(" · ")[0] for text, _ in seen] == ["the hole", "step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert seen[-1][0].endswith(" · 0 hidden")
    assert len({colour for _, colour in seen}) > 2
    tab.locator("#confidence").uncheck()
    tab.locator("#wipe").fill("0")
    assert visit.shown(40.5, 30.5) == np.asarray(given)[30, 40].tolist()


def test_browser_chooses_a_candidate_paints_on_and_goes_back(visit: Visit):
    tab = visit.tab
    visit.opened()
    visit.paint_box(30, 20, 50, 40)
    visit.fill()
    tab.locator("#candidates label").nth(1).click()
    assert visit.shown(40.5, 30.5) == list(COLOURS[1])
    visit.paint_box(10, 10, 20, 20)  # who paints on a result keeps it
    assert tab.evaluate(STATE) == "paint"
    tab.locator("#num_samples").fill("1")
    visit.fill()
    image = np.asarray(visit.download())
    assert (image[20:40, 30:50] == COLOURS[1]).all()
    assert (image[10:20, 10:20] == COLOURS[0]).all()
    tab.locator("#edit-hole").click()
    for state in ("paint", "result"):
        tab.keyboard.press("Control+z")
        assert tab.evaluate(STATE) == state
    assert visit.shown(40.5, 30.5) == list(COLOURS[1])
    tab.keyboard.press("Control+Shift+z")
    assert tab.evaluate(STATE) == "paint"
    tab.keyboard.press("Control+z")
    tab.keyboard.press("Control+z")  # leaves the result, and not the hole below it
    assert tab.evaluate(STATE) == "paint"
    assert tab.locator("#fill").is_enabled()


def test_browser_plays_the_steps_and_cancels_a_fill(browser: Any, address: str):
    visit = Visit(browser, address, reduced_motion="no-preference")
    tab = visit.tab
    visit.opened()
    visit.paint_box(30, 20, 50, 40)
    visit.fill()
    tab.locator("#play").click()
    visit.until(f"{STEP}.startsWith('step 2')")
    visit.until(f"{STEP} === 'result'")
    tab.locator("#edit-hole").click()
    tab.locator("#num_steps").fill("64")
    tab.locator("#fill").click()
    visit.until(f"{STATUS}.startsWith('Step')")
    assert tab.locator("#progress").get_attribute("max") == "192"
    tab.locator("#cancel").click()
    visit.until(f"{STATE} === 'paint'")
    assert tab.locator("#status").inner_text() == "Cancelled."
    assert tab.locator("#fill").is_enabled()
    visit.end()


def test_browser_says_what_is_wrong_with_a_file_and_goes_on(visit: Visit):
    tab = visit.tab
    for content, said in (
        (b"I am a text", "letter.txt cannot be opened: not a readable image."),
        (b"x" * 100_001, "more than the 0.1 MB"),
    ):
        visit.open(content, "letter.txt")
        visit.until(f"document.getElementById('error-text').textContent.includes({said!r})")
        assert tab.locator("#error").is_visible()
        tab.locator("#error-close").click()
    visit.opened()
    assert tab.locator("#error").is_hidden()
    tab.set_input_files("#mask-file", {"name": "m.png", "mimeType": "image/png", "buffer": file_of(noise(*SIZE))})
    tab.wait_for_selector("#error:visible")
    assert "m.png is no mask" in tab.locator("#error-text").inner_text()


def test_browser_takes_masks_transparency_pasted_and_dropped_images(visit: Visit):
    tab = visit.tab
    hole = box_hole(*SIZE, (5, 6, 25, 26))
    clear = noise(*SIZE)
    clear.putalpha(Image.fromarray((~hole).astype(np.uint8) * 255))
    visit.opened(clear)
    assert tab.locator("#fill").is_enabled()
    assert "transparent" in tab.locator("#status").inner_text()
    tab.locator("#clear").click()
    assert tab.locator("#fill").is_disabled()
    tab.set_input_files("#mask-file", {"name": "m.png", "mimeType": "image/png", "buffer": file_of(Image.fromarray(hole))})
    visit.until("!document.getElementById('fill').disabled")
    visit.fill()
    assert (np.asarray(visit.download().convert("RGB"))[hole] == COLOURS[0]).all()
    for name in ("paste", "drop"):
        tab.evaluate(GIVE, [name, list(file_of(noise(20, 30)))])
        visit.until(f"{STATUS}.startsWith('{name}, 20 × 30')")


def test_browser_needs_no_mouse_and_shows_the_focus(visit: Visit):
    tab = visit.tab
    order = []
    for _ in range(8):
        tab.keyboard.press("Tab")
        order.append(
            tab.evaluate("document.activeElement.id || document.activeElement.textContent || document.activeElement.tagName")
        )
        outline = tab.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert outline >= 2, order
    assert order[:3] == ["Skip to the image", "Report", "open-first"]
    tab.keyboard.press("Enter")  # a painted cat
    visit.until(f"{STATE} === 'paint' && document.activeElement.id === 'canvas'")
    tab.keyboard.down(" ")
    for _ in range(6):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.up(" ")
    tab.keyboard.press("r")
    assert tab.locator("input[value=box]").is_checked()
    for key in (" ", "ArrowDown", "ArrowDown", "ArrowRight", " "):
        tab.keyboard.press(key)
    while tab.evaluate(f"{FOCUS}.id") != "fill":
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    visit.until(f"{STATE} === 'result'")
    assert tab.evaluate(f"{FOCUS}.id") == "fill"
    while tab.evaluate(f"{FOCUS}.id") != "step":
        tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#step").get_attribute("aria-valuetext").startswith("step 3 of 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_page_is_accessible_in_every_state(browser: Any, address: str, scheme: str):
    visit = Visit(browser, address, color_scheme=scheme)
    if scheme == "light":
        check_access(visit)
    visit.opened()
    visit.paint_box(30, 20, 50, 40)
    if scheme == "light":
        check_access(visit)
    visit.fill()
    visit.open(b"no image")
    visit.tab.wait_for_selector("#error:visible")
    visit.tab.select_option("#policy", "remdm")
    visit.tab.locator("#grow-panel summary").click()
    check_access(visit)
    background = visit.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 150) == (scheme == "dark")
    visit.end()


def test_browser_page_fits_a_phone_and_is_painted_on_by_a_finger(browser: Any, address: str):
    visit = Visit(browser, address, viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    tab = visit.tab

    def fits() -> bool:
        return tab.evaluate("document.documentElement.scrollWidth <= 375")

    assert fits()
    visit.opened()
    assert fits()
    box = tab.locator("#canvas").bounding_box()
    tab.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.until("!document.getElementById('fill').disabled")
    visit.fill()
    assert fits()
    pinch = [{"x": box["x"] + x, "y": box["y"] + 90} for x in (100, 200, 80, 240)]
    fingers = visit.context.new_cdp_session(tab)
    for kind, points in (("touchStart", pinch[:1]), ("touchStart", pinch[:2]), ("touchMove", pinch[2:]), ("touchEnd", [])):
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert tab.evaluate(STATE) == "result"  # two fingers zoom: nothing was painted, which would have kept the candidate
    tab.locator("#panel summary").click()
    assert fits()
    assert tab.evaluate(SMALL) == []
    visit.end()
