"""A canvas that grows: the image's own pixels stay, the margin is what `expand` would fill; what is refused has a sentence."""

import asyncio
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.inpainter import Inpainter
from maskgit_lab.web.answers import RefusedError
from maskgit_lab.web.growing import grown
from maskgit_lab.web.image_store import KeptImage
from tests.support.page_requests import box_hole, downloaded, filled, noise, opened, sentence
from tests.support.page_server import RealRun, page, served
from tests.test_light_start import RUN

MOST = 10_000  # pixels


def of_mode(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100)
    return noise(30, 20, mode=mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_grown_image_keeps_its_mode_and_its_own_pixels(mode: str):
    image = of_mode(mode)
    image.info = {"icc_profile": b"colours"}
    larger = grown(KeptImage(image, "a"), {"left": 3, "bottom": 7}, max_pixels=MOST)
    assert (larger.image.mode, larger.image.size, larger.name) == (mode, (33, 27), "a")
    assert larger.image.info == {"icc_profile": b"colours"}
    assert np.array_equal(np.asarray(larger.image)[:20, 3:], np.asarray(image))
    margin = np.asarray(larger.image)[20:].reshape(7 * 33, -1)
    assert len(np.unique(margin, axis=0)) == 1
    assert not larger.image.mode.endswith("A") or (margin[:, -1] == 0).all()


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ({"left": -1}, "left must be at least 0 pixels"), ({"top": 1.5}, "top must be a whole number"),
        ({"right": "9"}, "right must be a whole number"), ({"bottom": True}, "bottom must be a whole number"),
        ({}, "Nothing would grow"), ({"left": 0}, "Nothing would grow"), ({"left": 10**30}, "more than max_pixels=10000"),
        ({"left": 471}, "501 x 20 pixels, more than max_pixels=10000"), ({"lefft": 1}, "not known: lefft"), ([1], "no JSON object"),
    ],
)  # fmt: skip
def test_grown_image_is_bounded_and_wrong_numbers_are_a_sentence(margins: Any, said: str):
    with pytest.raises(RefusedError, match=said):
        grown(KeptImage(noise(30, 20), "a"), margins, max_pixels=MOST)
    assert grown(KeptImage(noise(30, 20), "a"), {"left": 470}, max_pixels=MOST).image.size == (500, 20)


def test_page_grows_an_image_as_expand_does():
    given, hole = noise(90, 70), box_hole(90, 70, (30, 20, 40, 30))
    inpainter = Inpainter.from_run(RUN, device="cpu", num_steps=2)
    larger = np.pad(hole, ((0, 12), (20, 0)), constant_values=True)

    async def asking() -> Image.Image:
        async with served(page(RealRun(inpainter))) as client:
            told = await opened(client, given)
            answer = await client.post(f"/api/images/{told['image']}/grown", json={"left": 20, "bottom": 12})
            assert answer.status == 200
            grown = await answer.json()
            assert (grown["size"], grown["shown"], grown["name"]) == ([110, 82], [110, 82], "photo")
            done = (await filled(client, grown, larger, seed=3, match_histogram=True))[-1]
            assert done["kind"] == "done", done
            return await downloaded(client, done["candidates"][0]["image"])

    expected = inpainter(given, Image.fromarray(hole), seed=3, expand=(20, 0, 0, 12), match_histogram=True).composited
    assert np.array_equal(np.asarray(asyncio.run(asking())), np.asarray(expected))


def test_page_says_what_is_wrong_with_a_margin():
    async def asking() -> list[str]:
        async with served(page(max_pixels=MOST)) as client:
            told = await opened(client, noise(30, 20))
            answers = [await client.post(f"/api/images/{told['image']}/grown", json=json) for json in ({"left": 9999}, {"top": -1})]
            answers.append(await client.post("/api/images/none/grown", json={"left": 1}))
            assert [answer.status for answer in answers] == [400, 400, 404]
            return [await sentence(answer) for answer in answers]

    large, negative, gone = asyncio.run(asking())
    assert "more than max_pixels=10000: a smaller margin" in large
    assert negative == "top must be at least 0 pixels, got -1."
    assert "open it again" in gone
