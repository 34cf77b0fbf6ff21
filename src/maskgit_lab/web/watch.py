"""What a fill in the worker thread is asked after every decoding step: whether to go on; and what it tells meanwhile."""

import asyncio
import threading
import time
from typing import Any


class StoppedError(Exception):
    """Ends a fill that nobody waits for any more."""


class OutOfTimeError(Exception):
    """Ends a fill that took longer than it may."""


class Watch:
    """The link between a fill in its thread and the request that waits for it.

    Args:
        max_seconds: how long the fill may take, from when it begins.
    """

    def __init__(self, *, max_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self._max_seconds = max_seconds
        self._ends = float("inf")

    def begin(self) -> None:
        """Start the clock; in the thread of the fill."""
        self._ends = time.monotonic() + self._max_seconds

    def tell(self, **event: Any) -> None:
        """Tell the request something, and end the fill where it must; in the thread of the fill."""
        if self._stopped.is_set():
            raise StoppedError
        if time.monotonic() > self._ends:
            raise OutOfTimeError
        self._loop.call_soon_threadsafe(self._told.put_nowait, event)

    @property
    def num_waiting(self) -> int:
        """How many events were told and not yet asked for: of a browser that reads slowly, many."""
        return self._told.qsize()

    def stop(self) -> None:
        """End the fill at its next step; from anywhere."""
        self._stopped.set()

    def wake(self) -> None:
        """Let whoever listens look up: there is nothing more to tell."""
        self._told.put_nowait(None)

    async def next(self, *, seconds: float) -> dict[str, Any] | None:
        """Return what the fill tells next, None when it tells nothing for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._told.get()
        except TimeoutError:
            return None

    def left(self) -> list[dict[str, Any]]:
        """Return what was told and not yet asked for."""
        told = [self._told.get_nowait() for _ in range(self._told.qsize())]
        return [event for event in told if event is not None]
