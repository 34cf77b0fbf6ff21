"""What a page is told while a fill runs: the tokens of each step in order, as the result has them; and when nobody listens."""

import asyncio
import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.inpainter import Inpainter
from maskgit_lab.repair.watching import CropNow, FillNow
from maskgit_lab.web.crops import text
from maskgit_lab.web.live import MAX_BEHIND, Live, _jpeg
from tests.support.page_requests import box_hole, filled, noise, opened, painted
from tests.support.page_server import RealRun, StandIn, page, served
from tests.test_light_start import RUN

STEPS, SAMPLES = 3, 2
SECONDS = 20.0  # far longer than anything here takes
SMALL = [(20, 10, 50, 35)]
IN_PIECES = [(10, 8, 30, 28), (60, 5, 145, 115)]  # a small hole, and one that no square holds


def told_of_a_fill(boxes: list[tuple[int, int, int, int]], **settings: Any) -> tuple[np.ndarray, list[Any], Any]:
    """Fill with a real run; return the hole, the events of the live fill, and the result."""
    hole = np.logical_or.reduce([box_hole(150, 120, box) for box in boxes])
    stand_in = RealRun(Inpainter.from_run(RUN, device="cpu", num_steps=STEPS, token_temperature=1.0))

    async def asking() -> list[Any]:
        async with served(page(stand_in)) as client:
            return await filled(client, await opened(client, noise(150, 120)), hole, num_samples=SAMPLES, **settings)

    *events, done = asyncio.run(asking())
    assert done["kind"] == "done", done
    return hole, [event for event in events if event["kind"] in ("crops", "step")], done


def pixels(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


@pytest.mark.parametrize(
    ("boxes", "settings"),
    [(SMALL, {}), (IN_PIECES, {}), (SMALL, {"policy": "remdm", "token_temperature": 0.0})],
    ids=["one crop", "in pieces", "tokens are hidden again"],
)
def test_stream_tells_the_steps_of_the_result_in_their_order(boxes: Any, settings: dict[str, Any]):
    hole, events, done = told_of_a_fill(boxes, **settings)
    places: dict[int, Any] = {}
    hidden: dict[tuple[int, int], np.ndarray] = {}
    sure: dict[tuple[int, int], np.ndarray] = {}
    passes = dict.fromkeys(((k, n) for k in range(SAMPLES) for n in range(len(done["candidates"][0]["crops"]))), 0)
    images, number = 0, 0
    for event in events:
        if event["kind"] == "crops":
            places |= {crop["crop"]: crop for crop in event["crops"]}
            continue
        number += 1
        assert event["step"] == number <= event["of"]
        for news in event["crops"]:
            k, n = key = event["candidate"], news["crop"]
            place, result = places[n], done["candidates"][k]["crops"][n]
            assert all(place[name] == result[name] for name in ("box", "part", "pasted", "grid", "start"))
            grid = place["grid"]
            now = hidden.setdefault(key, np.array([letter == "1" for letter in place["start"]]))
            assert now[news["new"]].all()
            assert not now[news["again"]].any()
            now[news["new"]], now[news["again"]] = False, True
            sure.setdefault(key, np.zeros(grid**2))[news["new"]] = news["confidence"]
            step = passes[key]
            passes[key] += 1
            assert "".join("01"[int(cell)] for cell in now) == result["masks"][step]
            x, y, side = result["box"][:3]  # cells are counted by rows: each that is new lies over the hole
            for row, column in (divmod(cell, grid) for cell in news["new"]):
                left, top = max(0, round(x + column * side / grid)), max(0, round(y + row * side / grid))
                assert hole[top : round(y + (row + 1) * side / grid), left : round(x + (column + 1) * side / grid)].any()
            if "image" in news:  # left out where this test reads slowly
                images += 1
                truth = pixels(result["images"])[step * result["resolution"] :][: result["resolution"]]
                assert news["image"] == text(_jpeg(truth))
    assert images > 0
    assert set(passes.values()) == {STEPS}
    assert [event["candidate"] for event in events if event["kind"] == "step"][: 2 * STEPS] == [0] * STEPS + [1] * STEPS
    for (k, n), now in hidden.items():
        shown = np.array([letter == "1" for letter in places[n]["start"]]) & ~now
        np.testing.assert_allclose(sure[k, n][shown], np.array(done["candidates"][k]["crops"][n]["confidence"])[shown])


class SlowPage:
    """A watch that nobody asks for its events."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    @property
    def num_waiting(self) -> int:
        return len(self.told)

    def tell(self, **event: Any) -> None:
        self.told.append(event)


def test_live_leaves_images_out_for_a_browser_that_reads_slowly():
    decoded: list[int] = []

    def pass_of(number: int) -> FillNow:
        def decode() -> np.ndarray:
            decoded.append(number)
            return np.zeros((16, 16, 3), np.uint8)

        square, hidden = np.ones((32, 32), bool), np.arange(16).reshape(4, 4) > number
        sure = np.full((4, 4), np.nan if number == 14 else 0.5, np.float32)  # as of a network that has diverged
        crop = CropNow(0, 0, (0, 0, 32), (0, 0, 32, 32), square, hidden, sure, decode)
        return FillNow(0, number, 14, None if number == 2 else number, [crop])

    slow: Any = SlowPage()
    live = Live(slow, 1)
    for number in range(1, 15):
        live(pass_of(number))
    assert decoded == [1, *range(3, MAX_BEHIND)]  # the pass that is taken again has none
    assert [("image" in event["crops"][0]) for event in slow.told if event["kind"] == "step"].count(True) == len(decoded)
    json.dumps(slow.told, allow_nan=False)
    assert sorted(cell for event in slow.told[1:] for cell in event["crops"][0]["new"]) == list(range(15))


def test_stream_that_is_abandoned_frees_its_fill_at_the_next_step():
    passes = 0
    stand_in = StandIn(seconds=0.02)

    def count() -> None:
        nonlocal passes
        passes += 1

    hole = box_hole(20, 20, (5, 5, 9, 9))
    counted = StandIn(seconds=stand_in.seconds, gate=count, running=stand_in.running)

    async def asking() -> int:
        app = page(counted)
        async with served(app) as client:
            told = await opened(client, noise(20, 20))
            request = {"image": told["image"], "hole": painted(hole), "num_steps": 64, "num_samples": 8}
            answer = await client.post("/api/fill", json=request)
            kinds = [json.loads(await answer.content.readline())["kind"] for _ in range(5)]
            assert "step" in kinds
            answer.close()
            async with asyncio.timeout(SECONDS):
                while counted.running.is_set():
                    await asyncio.sleep(0.01)
            ended = passes
            await asyncio.sleep(0.2)
            assert passes == ended
            async with asyncio.timeout(SECONDS):
                assert (await filled(client, told, hole, num_steps=2))[-1]["kind"] == "done"
            return ended

    assert asyncio.run(asking()) < 64 * 8 / 2
