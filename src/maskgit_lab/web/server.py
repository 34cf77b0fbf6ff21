"""Put the server together and let it run until Ctrl-C."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from maskgit_lab.web.fill_queue import FillQueue
from maskgit_lab.web.guard import (
    STREAMS,
    is_loopback,
    only_known_hosts,
    only_own_page,
    put_headers,
    sentences_for_errors,
)  # fmt: skip
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.painting import FILL_PATH

Application = web.Application

log = logging.getLogger("maskgit_lab")

SECONDS_TO_END = 2.0  # that answers which are under way get


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0 = one that is free
    allowed_hosts: Sequence[str] = ()  # further names by which browsers reach it


def application(routes: Iterable[web.RouteDef], *, place: Place, limits: Limits, queue: FillQueue | None = None) -> Application:
    """Return the server's application; `queue` is ended with it."""
    app = web.Application(
        middlewares=[sentences_for_errors(limits), only_known_hosts(place.host, place.allowed_hosts), only_own_page],
        client_max_size=limits.max_upload_bytes,
    )
    app[STREAMS] = {FILL_PATH}
    app.on_response_prepare.append(put_headers)
    app.add_routes(routes)
    if queue is not None:
        app.on_shutdown.append(lambda _: _ended(queue))
    return app


async def _listen(runner: web.AppRunner, place: Place) -> None:
    try:
        await web.TCPSite(runner, place.host, place.port).start()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"host={place.host} port={place.port}: {reason}; port=0 takes one that is free") from error


async def _ended(queue: FillQueue) -> None:
    queue.stop()


async def serve(make: Callable[[], Application], place: Place) -> None:
    """Listen until Ctrl-C or SIGTERM; the address is logged in one line.

    Raise ValueError when the port is taken or the host is not of this machine.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ended.set)
        except NotImplementedError:  # Windows: there Ctrl-C raises KeyboardInterrupt
            break
    runner = web.AppRunner(make(), access_log=None, handler_cancellation=True, shutdown_timeout=SECONDS_TO_END)
    await runner.setup()
    try:
        await _listen(runner, place)
        port = runner.addresses[0][1]
        if not is_loopback(place.host):
            log.warning(f"host={place.host}: whoever reaches this machine can use this page; nothing asks for a password")
        shown = "127.0.0.1" if place.host in ("0.0.0.0", "::") else f"[{place.host}]" if ":" in place.host else place.host
        log.info(f"http://{shown}:{port}/ (Ctrl-C ends it)")
        await ended.wait()
    finally:
        await runner.cleanup()
