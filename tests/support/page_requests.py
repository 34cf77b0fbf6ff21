"""What the page sends to its server, and what it reads of the answers."""

import base64
import io
import json
from typing import Any

import numpy as np
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from PIL import Image

OCTETS = {"Content-Type": "application/octet-stream"}


def noise(width: int, height: int, *, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return an image of random pixels: what is not copied exactly is seen."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values[..., 0] if channels == 1 else values, mode=None).convert(mode)


def file_of(image: Image.Image, kind: str = "PNG", **save: Any) -> bytes:
    """Return an image as the content of a file."""
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def box_hole(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return (height, width) bool, True inside left, top, right, bottom."""
    hole = np.zeros((height, width), bool)
    hole[box[1] : box[3], box[0] : box[2]] = True
    return hole


def painted(hole: np.ndarray) -> str:
    """Return a hole as the page sends it: a PNG in base64, opaque = hole."""
    layer = np.zeros((*hole.shape, 4), np.uint8)
    layer[hole] = (194, 37, 92, 255)
    return base64.b64encode(file_of(Image.fromarray(layer))).decode()


async def opened(client: TestClient, image: Image.Image, name: str = "photo.png", **save: Any) -> dict[str, Any]:
    """Open an image on the page and return what the server says of it."""
    answer = await client.post("/api/images", params={"name": name}, data=file_of(image, **save), headers=OCTETS)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def filled(client: TestClient, told: dict[str, Any], hole: np.ndarray, **settings: Any) -> list[dict[str, Any]]:
    """Fill a hole and return all events."""
    request = {"image": told["image"], "hole": painted(hole), **settings}
    async with client.post("/api/fill", json=request) as answer:
        assert answer.status == 200, await answer.text()
        return [json.loads(line) for line in (await answer.read()).splitlines()]


async def downloaded(client: TestClient, key: str) -> Image.Image:
    """Return the image that is downloaded."""
    answer = await client.get(f"/api/images/{key}.png")
    assert answer.status == 200, await answer.text()
    return Image.open(io.BytesIO(await answer.read()))


async def sentence(answer: ClientResponse) -> str:
    """Return the sentence that an answer holds instead of what was asked for."""
    content = await answer.json()
    assert set(content) == {"error"}
    assert "Traceback" not in content["error"]
    return content["error"]
