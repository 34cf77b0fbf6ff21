"""What the server answers, address by address."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Self
from urllib.parse import quote

from aiohttp import hdrs, web

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.web.about import about
from maskgit_lab.web.answers import RefusedError
from maskgit_lab.web.examples import NUM_EXAMPLES, example
from maskgit_lab.web.fill import Fills, fill
from maskgit_lab.web.fill_queue import FillQueue
from maskgit_lab.web.fill_request import FillChoices
from maskgit_lab.web.growing import grown
from maskgit_lab.web.image_store import ImageStore
from maskgit_lab.web.uploads import (
    hole_png,
    png,
    read_image,
    read_mask,
    scaled_hole,
    transparent_hole,
    view,
    view_size,
)  # fmt: skip

STATIC = resources.files("maskgit_lab.web") / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILL_PATH = "/api/fill"
READERS = 2  # files that are decoded at once
SECONDS_TO_LISTEN = 20.0  # for one event


@dataclass(frozen=True)
class Painting:
    """Everything behind the page on which holes are painted."""

    inpainter: Fills
    choices: FillChoices
    about: dict[str, Any]  # what the page is told at its start
    images: ImageStore
    queue: FillQueue
    reading: asyncio.Semaphore

    @classmethod
    def of(cls, inpainter: Fills, *, settings: DecodeSettings, choices: FillChoices, name: str, seed: int) -> Self:
        """Put together what is behind the page of a run; inside a running loop.

        Args:
            inpainter: of the run.
            settings: how it decodes.
            choices: what the page may choose instead.
            name: of the run.
            seed: of the first fill.

        Returns:
            The page, whose images and queue are empty.
        """
        told = about(name=name, resolution=inpainter.resolution, settings=settings, seed=seed, choices=choices)
        images = ImageStore(max_bytes=choices.limits.max_kept_bytes)
        return cls(inpainter, choices, told, images, FillQueue(choices.limits), asyncio.Semaphore(READERS))

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of the page."""
        return [
            web.get("/", _page),
            web.get("/static/{name}", _static),
            web.get("/api/about", self.tell_about),
            web.get("/api/examples/{number}.png", self.example),
            web.post("/api/images", self.open_image),
            web.get("/api/images/{key}/view", self.view),
            web.get("/api/images/{key}/hole.png", self.transparent),
            web.post("/api/images/{key}/mask", self.open_mask),
            web.post("/api/images/{key}/grown", self.grow),
            web.get("/api/images/{key}.png", self.download),
            web.post(FILL_PATH, self.fill),
        ]

    async def tell_about(self, _: web.Request) -> web.Response:
        """Answer with the run, what can be chosen, and the bounds."""
        return web.json_response(self.about)

    async def example(self, request: web.Request) -> web.Response:
        """Answer with a painted cat."""
        number = request.match_info["number"]
        if not number.isdecimal() or int(number) >= NUM_EXAMPLES:
            raise RefusedError("There is no such example.", status=404)
        content = await asyncio.to_thread(example, int(number), resolution=self.inpainter.resolution)
        return web.Response(body=content, content_type="image/png", headers={hdrs.CACHE_CONTROL: "private, max-age=3600"})

    async def open_image(self, request: web.Request) -> web.Response:
        """Keep the image whose file is the body; answer with its key and sizes."""
        async with self.reading:
            content = await request.read()
            kept = await asyncio.to_thread(read_image, content, _name(request), max_pixels=self.choices.limits.max_pixels)
            return web.json_response(await asyncio.to_thread(self._description, self.images.keep(kept)))

    async def view(self, request: web.Request) -> web.Response:
        """Answer with an image as a screen shows it."""
        content, kind = await asyncio.to_thread(view, self.images.get(request.match_info["key"]).image)
        return web.Response(body=content, content_type=kind)

    async def transparent(self, request: web.Request) -> web.Response:
        """Answer with the hole that an image's transparency is."""
        image = self.images.get(request.match_info["key"]).image
        hole = await asyncio.to_thread(transparent_hole, image)
        if hole is None:
            raise RefusedError("This image is transparent nowhere.", status=404)
        return web.Response(body=hole_png(scaled_hole(hole, view_size(image))), content_type="image/png")

    async def open_mask(self, request: web.Request) -> web.Response:
        """Answer with the hole of a mask file, the body, in the size in which its image is shown."""
        size = view_size(self.images.get(request.match_info["key"]).image)
        async with self.reading:
            content = await request.read()
            hole = await asyncio.to_thread(read_mask, content, _name(request), size=size, max_pixels=self.choices.limits.max_pixels)
        return web.Response(body=await asyncio.to_thread(hole_png, hole), content_type="image/png")

    async def grow(self, request: web.Request) -> web.Response:
        """Keep an image on a larger canvas, by the pixels that the body gives for each side; answer as to `open_image`."""
        kept = self.images.get(request.match_info["key"])
        content = await _json(request)
        async with self.reading:
            larger = await asyncio.to_thread(grown, kept, content, max_pixels=self.choices.limits.max_pixels)
            return web.json_response(await asyncio.to_thread(self._description, self.images.keep(larger)))

    async def download(self, request: web.Request) -> web.Response:
        """Answer with an image in its own size, as PNG."""
        kept = self.images.get(request.match_info["key"])
        profile = kept.image.info.get("icc_profile")
        content = await asyncio.to_thread(png, kept.image, profile=profile)
        answer = web.Response(body=content, content_type="image/png")
        answer.headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename*=UTF-8''{quote(f'{kept.name}.png', safe='')}"
        return answer

    async def fill(self, request: web.Request) -> web.StreamResponse:
        """Fill a hole; the answer is one JSON line an event, until done or failed. Whoever hangs up ends the fill."""
        self.queue.require_room()
        async with asyncio.timeout(self.choices.limits.max_seconds):
            content = await _json(request)
        asked = await asyncio.to_thread(self.choices.read, content, self.images)
        answer = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/x-ndjson"})
        await answer.prepare(request)
        # closed at once when the browser hangs up, or the fill would go on until the collector of garbage finds it
        async with aclosing(self.queue.events(lambda watch: fill(self.inpainter, asked, self.images, watch))) as events:
            async for event in events:
                try:
                    async with asyncio.timeout(SECONDS_TO_LISTEN):
                        await answer.write(json.dumps(event).encode() + b"\n")
                except (TimeoutError, ConnectionError):  # nobody listens: the next in line begins
                    break
        return answer

    def _description(self, key: str) -> dict[str, Any]:
        kept = self.images.get(key)
        shown = view_size(kept.image)
        return {
            "image": key,
            "name": kept.name,
            "size": kept.image.size,
            "shown": shown,
            "transparent": transparent_hole(kept.image) is not None,
        }


async def _page(_: web.Request) -> web.Response:
    return _file("index.html")


async def _static(request: web.Request) -> web.Response:
    return _file(request.match_info["name"])


def _file(name: str) -> web.Response:
    """Answer with a file of the page; its name comes from the list of files, so none leads elsewhere."""
    there = {file.name: file for file in STATIC.iterdir() if PurePosixPath(file.name).suffix in TYPES}
    if name not in there:
        raise RefusedError("There is no such file.", status=404)
    kind = TYPES[PurePosixPath(name).suffix]
    return web.Response(body=there[name].read_bytes(), content_type=kind, charset="utf-8", headers={hdrs.CACHE_CONTROL: "no-cache"})


def _name(request: web.Request) -> str:
    return request.query.get("name", "")[:200]


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise RefusedError("This is asked for as application/json.", status=415)
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise RefusedError("The request is no JSON.") from error
