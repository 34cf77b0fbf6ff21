"""The page's addresses, as the page uses them: open, fill, watch, download, go on; and what is refused."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

import numpy as np
import pytest
from aiohttp.test_utils import TestClient
from PIL import Image

from maskgit_lab.inpainter import Inpainter
from tests.support.page_requests import OCTETS, box_hole, downloaded, file_of, filled, noise, opened, painted, sentence  # fmt: skip
from tests.support.page_server import COLOURS, RealRun, StandIn, page, served
from tests.test_light_start import RUN

HOLE = box_hole(40, 30, (5, 6, 15, 16))


def on_page(asking: Callable[[TestClient], Awaitable[Any]], stand_in: StandIn | RealRun | None = None, **limits: Any) -> Any:
    async def served_and_asked() -> Any:
        async with served(page(stand_in, **limits)) as client:
            return await asking(client)

    return asyncio.run(served_and_asked())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_page_downloads_a_fill_whose_known_pixels_are_those_of_the_file(mode: str):
    given = noise(40, 30, mode=mode)

    async def asking(client: TestClient) -> None:
        told = await opened(client, given)
        assert (told["size"], told["shown"], told["transparent"]) == ([40, 30], [40, 30], mode == "RGBA")
        *steps, done = await filled(client, told, HOLE, num_samples=2)
        assert [(event["step"], event["of"]) for event in steps if event["kind"] == "step"] == [(i, 6) for i in range(1, 7)]
        assert done["kind"] == "done"
        assert len(done["candidates"]) == 2
        for number, candidate in enumerate(done["candidates"]):
            image = await downloaded(client, candidate["image"])
            assert (image.mode, image.size) == (mode, (40, 30))
            assert np.array_equal(np.asarray(image)[~HOLE], np.asarray(given)[~HOLE])
            if mode == "RGB":
                assert (np.asarray(image)[HOLE] == COLOURS[number]).all()
            assert candidate["patch"]["box"] == [5, 6, 10, 10]

    on_page(asking)


def test_page_goes_on_from_a_candidate_and_names_its_file():
    async def asking(client: TestClient) -> None:
        told = await opened(client, noise(40, 30), name="fröhlich \u201cA\u201d.png")
        first = (await filled(client, told, HOLE))[-1]["candidates"][0]["image"]
        second = (await filled(client, {"image": first}, box_hole(40, 30, (0, 0, 3, 3)), seed=1))[-1]["candidates"][0]["image"]
        image = np.asarray(await downloaded(client, second))
        assert (image[HOLE] == COLOURS[0]).all()
        assert (image[:3, :3] == COLOURS[1]).all()
        disposition = (await client.get(f"/api/images/{second}.png")).headers["Content-Disposition"]
        assert disposition == "attachment; filename*=UTF-8''fr%C3%B6hlich%20%E2%80%9CA%E2%80%9D_filled.png"

    on_page(asking)


def test_page_fills_with_a_real_run_and_tells_of_every_token():
    inpainter = Inpainter.from_run(RUN, device="cpu")
    given, hole = noise(90, 70), box_hole(90, 70, (30, 20, 60, 45))

    async def asking(client: TestClient) -> None:
        told = await opened(client, given)
        settings = {"num_steps": 4, "schedule": "linear", "policy": "random", "policy_numbers": {}, "token_temperature": 1.0}
        *steps, done = await filled(client, told, hole, num_samples=2, seed=3, **settings)
        assert done["kind"] == "done", done
        assert [event["step"] for event in steps if event["kind"] == "step"] == list(range(1, 9))
        assert done["steps"] == [1, 2, 3, 4]
        for candidate in done["candidates"]:
            image = np.asarray(await downloaded(client, candidate["image"]))
            assert np.array_equal(image[~hole], np.asarray(given)[~hole])
            assert (image[hole] != np.asarray(given)[hole]).any()
            (crop,) = candidate["crops"]
            hidden = [crop["start"].count("1"), *(mask.count("1") for mask in crop["masks"])]
            assert hidden == sorted(hidden, reverse=True)
            assert hidden[0] > hidden[-1] == 0
            assert len(crop["confidence"]) == crop["grid"] ** 2

    on_page(asking, RealRun(inpainter))


def test_page_says_what_can_be_chosen_and_begins_with_what_the_run_has():
    async def asking(client: TestClient) -> dict[str, Any]:
        return await (await client.get("/api/about")).json()

    told = on_page(asking, max_samples=5)
    assert told["defaults"]["schedule"] == "cosine"
    assert told["defaults"]["policy"] == "confidence"
    assert told["limits"]["max_samples"] == 5
    assert (told["defaults"]["seamless"], told["defaults"]["match_histogram"]) == (True, False)
    curves = {schedule["name"]: schedule["curve"] for schedule in told["schedules"]}
    assert {"cosine", "linear", "square"} <= set(curves)
    assert all(curve[0] == 1 and curve[-1] == 0 for curve in curves.values())
    policies = {policy["name"]: policy for policy in told["policies"]}
    assert policies["halton"]["text"].startswith("A fixed order")
    assert policies["p2"]["numbers"][0]["key"] == "eta"
    assert policies["p2"]["numbers"][0]["text"].startswith("0 = what is revealed stays")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_steps": 0}, "decode.num_steps must be"), ({"num_steps": 65}, "at most 64"), ({"num_steps": "7"}, "decode.num_steps"),
        ({"num_steps": 4, "sweet_spot": 5}, "decode.sweet_spot must be from 1 to"), ({"num_samples": 9}, "num_samples must be"),
        ({"seed": -1}, "seed must be"), ({"token_temperature": float("inf")}, "token_temperature"),
        ({"schedule": "nope"}, "schedule must be one of"),
        ({"policy": ["p2"]}, "policy must be one of"), ({"policy": "p2", "policy_numbers": {"eta": -1}}, "eta"),
        ({"policy": "p2", "policy_numbers": {"_target_": "os.system"}}, "p2 has no number _target_"),
        ({"policy": "p2", "policy_numbers": 3}, "no JSON object"), ({"strategy": "magic"}, "strategy must be one of"),
        ({"extra": 1}, "a key that is not known: extra"), ({"image": "none"}, "no longer has this image"),
        ({"hole": "x"}, "no PNG"), ({"seamless": 1}, "seamless must be true or false."),
        ({"match_histogram": "yes"}, "match_histogram must be true or false."),
    ],
)  # fmt: skip
def test_page_refuses_a_fill_that_asks_for_what_there_is_not(changes: dict[str, Any], said: str):
    async def asking(client: TestClient) -> str:
        told = await opened(client, noise(40, 30))
        async with client.post("/api/fill", json={"image": told["image"], "hole": painted(HOLE), **changes}) as answer:
            if answer.status == 200:  # found while the settings are put together, in the worker thread
                last = json.loads((await answer.read()).splitlines()[-1])
                return last["error"]
            return await sentence(answer)

    assert said in on_page(asking)


def test_page_fills_with_and_without_seams_and_tones():
    stand_in = StandIn()

    async def asking(client: TestClient) -> None:
        told = await opened(client, noise(40, 30))
        for settings in ({}, {"seamless": False, "match_histogram": True}):
            assert (await filled(client, told, HOLE, **settings))[-1]["kind"] == "done"

    on_page(asking, stand_in)
    assert [(asked["seamless"], asked["match_histogram"]) for asked in stand_in.asked] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [(b"{", {"Content-Type": "application/json"}, 400), (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
     (b"{}", {"Content-Type": "text/plain"}, 415), (b"[]", {"Content-Type": "application/json"}, 400)],
)  # fmt: skip
def test_page_refuses_a_fill_that_is_no_json(content: bytes, headers: dict[str, str], status: int):
    async def asking(client: TestClient) -> int:
        answer = await client.post("/api/fill", data=content, headers=headers)
        await sentence(answer)
        return answer.status

    assert on_page(asking) == status


def test_page_bounds_the_bytes_of_a_file_and_the_pixels_of_an_image():
    async def asking(client: TestClient) -> list[str]:
        answers = [
            await client.post("/api/images", params={"name": "big.png"}, data=content, headers=OCTETS)
            for content in (b"x" * 20_001, file_of(Image.new("L", (101, 100))), b"no image")
        ]
        assert [answer.status for answer in answers] == [413, 400, 400]
        return [await sentence(answer) for answer in answers]

    large, wide, none = on_page(asking, max_upload_bytes=20_000, max_pixels=10_000)
    assert "(max_upload_bytes)" in large
    assert "more than max_pixels=10000" in wide
    assert none == "big.png cannot be opened: not a readable image."


def test_page_forgets_the_images_that_were_not_used_for_longest():
    async def asking(client: TestClient) -> list[int]:
        keys = [(await opened(client, noise(20, 20, seed=i)))["image"] for i in range(2)]
        assert (await client.get(f"/api/images/{keys[0]}/view")).status == 200
        keys.append((await opened(client, noise(20, 20, seed=2)))["image"])
        return [(await client.get(f"/api/images/{key}/view")).status for key in keys]

    assert on_page(asking, max_kept_bytes=2 * 20 * 20 * 3) == [200, 404, 200]


def test_page_gives_masks_examples_and_transparent_holes():
    async def asking(client: TestClient) -> None:
        told = await opened(client, noise(40, 30))
        mask = file_of(Image.fromarray(HOLE))
        answer = await client.post(f"/api/images/{told['image']}/mask", params={"name": "m.png"}, data=mask, headers=OCTETS)
        assert answer.status == 200
        assert (await client.get(f"/api/images/{told['image']}/hole.png")).status == 404
        bad = await client.post(f"/api/images/{told['image']}/mask", params={"name": "m.png"}, data=b"?", headers=OCTETS)
        assert await sentence(bad) == "m.png is no mask: not a readable image."
        cats = [await (await client.get(f"/api/examples/{number}.png")).read() for number in range(2)]
        assert cats[0] != cats[1]
        assert [(await client.get(f"/api/examples/{n}.png")).status for n in ("99", "-1", "x")] == [404] * 3

    on_page(asking)


def test_page_and_all_its_files_ask_nothing_of_elsewhere():
    folder = resources.files("maskgit_lab.web") / "static"
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", "\n".join(texts.values()).replace("// ", ""))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    named = set(re.findall(r'(?:src|href)="static/([^"]+)"', texts["index.html"]))
    named |= {name for text in texts.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    assert named | {"index.html"} == set(texts)
    assert max(len(text.splitlines()) for text in texts.values()) <= 350
    assert not re.search(r"\son\w+=|style=", texts["index.html"])  # the policy would not let it run
