"""One fill at a time; others wait in a bounded line; who hangs up or takes too long is ended; the server goes on answering."""

import asyncio
import json
import logging
import time
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from maskgit_lab.web.fill_queue import Event, FillQueue
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.watch import Watch
from tests.support.page_requests import box_hole, filled, noise, opened, painted, sentence
from tests.support.page_server import StandIn, page, served

HOLE = box_hole(20, 20, (5, 5, 9, 9))
SECONDS = 20.0  # far longer than anything here takes


async def until(true: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.01)


def kinds(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event["kind"] for event in events))


def test_fills_wait_for_each_other_in_order_and_too_many_are_refused():
    stand_in = StandIn(seconds=0.1)

    async def asking() -> None:
        async with served(page(stand_in, max_queue=1)) as client:
            told = await opened(client, noise(20, 20))
            first = asyncio.create_task(filled(client, told, HOLE, num_samples=4))
            await until(stand_in.running.is_set)
            second = asyncio.create_task(filled(client, told, HOLE))
            await asyncio.sleep(0.2)
            refused = await client.post("/api/fill", json={"image": told["image"], "hole": painted(HOLE)})
            assert refused.status == 503
            assert "max_queue" in await sentence(refused)
            began = time.perf_counter()
            assert (await client.get("/api/about")).status == 200  # the loop is free while the thread fills
            assert time.perf_counter() - began < 5
            assert not first.done()
            assert kinds(await first) == ["running", "crops", "step", "done"]
            events = await second
            assert events[0] == {"kind": "waiting", "ahead": 1}
            assert kinds(events) == ["waiting", "running", "crops", "step", "done"]

    asyncio.run(asking())


def test_fill_ends_when_its_page_hangs_up_and_the_next_one_runs():
    stand_in = StandIn(seconds=0.05)

    async def asking() -> None:
        async with served(page(stand_in)) as client:
            told = await opened(client, noise(20, 20))
            request = {"image": told["image"], "hole": painted(HOLE), "num_steps": 64, "num_samples": 8}
            answer = await client.post("/api/fill", json=request)
            await answer.content.readline()
            await until(stand_in.running.is_set)
            answer.close()
            async with asyncio.timeout(SECONDS):  # all of its 512 steps would take longer
                assert kinds(await filled(client, told, HOLE))[-1] == "done"

    asyncio.run(asking())


def test_fill_that_takes_too_long_is_ended_with_a_sentence():
    async def asking(client: TestClient) -> Event:
        return (await filled(client, await opened(client, noise(20, 20)), HOLE, num_steps=64))[-1]

    async def served_and_asked() -> Event:
        async with served(page(StandIn(seconds=0.05), max_seconds=0.4)) as client:
            return await asking(client)

    last = asyncio.run(served_and_asked())
    assert last["kind"] == "failed"
    assert last["error"].startswith("This fill took longer than 0.4 seconds (max_seconds)")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("decode.policy: no."), "decode.policy: no."), (MemoryError(), "not enough memory"),
        (RuntimeError("a secret"), "failed"),
    ],
)  # fmt: skip
def test_fill_that_fails_says_why_and_a_mistake_of_ours_goes_to_the_terminal(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
):
    def work(watch: Watch) -> Event:
        raise error

    async def listened() -> list[Event]:
        async with aclosing(FillQueue(Limits()).events(work)) as events:
            return [event async for event in events]

    with caplog.at_level(logging.ERROR):
        last = asyncio.run(listened())[-1]
    assert last["kind"] == "failed"
    assert said in last["error"]
    assert "secret" not in json.dumps(last)
    assert ("a secret" in caplog.text) == isinstance(error, RuntimeError)


def test_queue_that_is_stopped_ends_what_runs():
    stand_in = StandIn(seconds=0.05)

    async def asking() -> list[Event]:
        app = page(stand_in)
        async with served(app) as client:
            told = await opened(client, noise(20, 20))
            fills = [asyncio.create_task(filled(client, told, HOLE, num_steps=64, num_samples=8)) for _ in range(2)]
            await until(stand_in.running.is_set)
            await app.shutdown()
            async with asyncio.timeout(SECONDS):
                return [(await one)[-1] for one in fills]  # the one that ran, and the one that waited

    assert asyncio.run(asking()) == [{"kind": "failed", "error": "The fill was ended."}] * 2


def test_limits_refuse_what_bounds_nothing():
    refused: dict[str, Any] = {"max_queue": -1, "max_seconds": float("inf"), "max_pixels": 0, "max_steps": 1.5}
    for key, value in refused.items():
        with pytest.raises(ValueError, match=key):
            Limits(**{key: value})
