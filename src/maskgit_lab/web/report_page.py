"""A run or a sweep, read-only: the page of `report`, made anew whenever it is asked for. Its images are inside it."""

import asyncio
import base64
import hashlib
from collections.abc import Callable

from aiohttp import web

from maskgit_lab.reporting.page import STYLE

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def report_route(address: str, render: Callable[[], str]) -> web.RouteDef:
    """Return the address at which a report is read; `render` makes the page, in a thread."""

    async def show(_: web.Request) -> web.Response:
        try:
            text = await asyncio.to_thread(render)
        except (ValueError, OSError) as error:
            return web.Response(text=f"There is no report: {error}", status=500)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    return web.get(address, show)
