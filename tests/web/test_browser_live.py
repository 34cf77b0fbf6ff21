"""The page while a fill runs: tokens come into sight step by step, at a pace that can be followed; growing the image."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.browser import served_from_a_thread
from tests.support.page_requests import box_hole
from tests.support.page_server import COLOURS, StandIn, page
from tests.support.visit import SIZE, STATE, STATUS, Visit, check_access

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

BOX = (24, 0, 72, 64)  # of the hole, in pixels of the image: it has cells of every row of the grid
CELL = 96 / 4  # the crop is the whole image, a square of 96 pixels around 64 rows
NOW = "document.getElementById('step-now').textContent"


@dataclass
class Gate:
    """Lets a fill go on a step at a time, or all the way."""

    steps: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    open: bool = False

    def __call__(self) -> None:
        while not (self.open or self.steps.acquire(timeout=0.05)):
            pass


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def stand_in(gate: Gate) -> StandIn:
    return StandIn(gate=gate)


@pytest.fixture
def address(stand_in: StandIn, gate: Gate) -> Iterator[str]:
    with served_from_a_thread(lambda: page(stand_in)) as found:
        yield found
        gate.open = True  # or a test that fails would leave its fill waiting


def test_browser_shows_tokens_as_they_come_while_the_fill_runs(browser: Any, address: str, gate: Gate):
    visit = Visit(browser, address, reduced_motion="no-preference")
    tab = visit.tab
    given = np.asarray(visit.opened())
    visit.paint_box(*BOX)
    tab.locator("#num_samples").fill("1")
    hole = visit.shown(30, 60)
    tab.locator("#fill").click()
    visit.until(f"{STATE} === 'busy'")
    cells = [(column * CELL + CELL / 2, row * CELL + CELL / 2) for row, column in ((2, 1), (2, 2), (1, 1), (0, 1))]
    seen = []
    for step in (1, 2):
        gate.steps.release()
        visit.until(f"{NOW} === 'Step {step} of 3'")
        assert tab.evaluate(STATE) == "busy"  # in the middle of the fill, not in a replay of it
        assert tab.locator("#result").is_hidden()
        seen.append([visit.shown(*cell) for cell in cells])
    assert tab.locator("#progress").get_attribute("value") == "2"
    check_access(visit)
    # StandIn gives cells from the end: 10 of 16 are hidden after the first step, 5 after the second
    first, second = seen
    assert first[1] != hole
    assert max(first[3]) < 80  # covered
    assert first[2] == first[3]
    assert second[2] != first[2]  # came with the second step
    assert second[3] == first[3]
    assert second[1] != first[1]  # no longer new
    assert second[1] != given[60, 60].tolist()
    gate.open = True
    visit.until(f"{STATE} === 'result'")
    assert visit.shown(*cells[0]) == list(COLOURS[0])
    assert tab.evaluate(STATUS).startswith("Filled in")
    visit.end()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_browser_paces_a_fill_that_takes_no_time(browser: Any, address: str, gate: Gate, motion: str):
    gate.open = True
    visit = Visit(browser, address, reduced_motion=motion)
    tab = visit.tab
    visit.opened()
    visit.paint_box(*BOX)
    tab.locator("#num_steps").fill("12")
    tab.locator("#num_samples").fill("8")
    tab.evaluate(f"""() => {{
      window.steps = [];
      new MutationObserver(() => window.steps.push([performance.now(), {NOW}]))
        .observe(document.getElementById('step-now'), {{ childList: true }});
    }}""")
    visit.fill()
    steps = [(at, text) for at, text in tab.evaluate("window.steps") if text.startswith("Step")]
    pace = 400 if motion == "reduce" else 80  # milliseconds
    assert min((after - before for (before, _), (after, _) in pairwise(steps)), default=pace) >= pace - 1
    if motion == "no-preference":
        assert len(steps) >= 5  # of 96, where this machine is very slow
        assert steps[-1][1] == "Step 96 of 96, candidate 8 of 8"
    visit.end()


def test_browser_cancels_what_is_only_shown_any_more(browser: Any, address: str, gate: Gate):
    gate.open = True
    visit = Visit(browser, address, reduced_motion="no-preference")
    visit.opened()
    visit.paint_box(*BOX)
    visit.tab.locator("#num_steps").fill("24")
    visit.tab.locator("#num_samples").fill("4")
    visit.tab.locator("#fill").click()
    visit.until(f"{NOW}.startsWith('Step')")
    visit.tab.keyboard.press("Escape")
    visit.until(f"{STATE} === 'paint'")
    assert visit.tab.locator("#status").inner_text() == "Cancelled."
    visit.end()


def test_browser_grows_an_image_by_keyboard_and_undoes_it(browser: Any, address: str, gate: Gate, stand_in: StandIn):
    gate.open = True
    visit = Visit(browser, address)
    tab = visit.tab
    given = visit.opened()
    visit.paint_box(30, 20, 50, 40)
    tab.locator("#grow-panel summary").focus()
    tab.keyboard.press("Enter")
    for text in ("4", "0", "16", "-3"):
        tab.keyboard.press("Tab")
        tab.keyboard.type(text)
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "grow-bottom"  # where it is wrong
    tab.keyboard.press("Control+a")
    tab.keyboard.type("100000000")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#error:visible")
    assert "more than max_pixels=40000000" in tab.locator("#error-text").inner_text()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("8")
    tab.keyboard.press("Enter")
    visit.until(f"{STATUS} === '116 × 72 now. The margin is the hole.'")
    assert tab.locator("#error").is_hidden()
    tab.locator("#seamless").uncheck()
    tab.locator("#match_histogram").check()
    visit.fill()
    image, hole = np.asarray(visit.download()), np.ones((72, 116), bool)
    hole[:64, 4:100] = box_hole(*SIZE, (30, 20, 50, 40))
    assert (image[hole] == COLOURS[0]).all()
    assert np.array_equal(image[~hole], np.asarray(given)[~box_hole(*SIZE, (30, 20, 50, 40))])
    assert (stand_in.asked[-1]["seamless"], stand_in.asked[-1]["match_histogram"]) == (False, True)
    tab.locator("#edit-hole").click()
    tab.locator("#undo").click()
    assert tab.locator("#fill").is_enabled()  # the hole that was painted is there
    visit.fill()
    assert visit.download().size == SIZE
    visit.end()
