"""One fill at a time, in a thread of its own, so that the server goes on answering; a bounded number of others wait in line."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any

from maskgit_lab.web.answers import RefusedError
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.watch import OutOfTimeError, StoppedError, Watch

log = logging.getLogger("maskgit_lab")

ENDED = "The fill was ended."
BEAT = 0.5  # seconds after which a request hears that it still waits
Event = dict[str, Any]  # as the page gets it, one JSON line each


class FillQueue:
    """The line in front of the worker thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._line: list[object] = []
        self._moved = asyncio.Condition()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fill")
        self._watches: set[Watch] = set()
        self._over = False

    def require_room(self) -> None:
        """Raise RefusedError when too many wait already."""
        if len(self._line) > self._limits.max_queue:
            raise RefusedError(self._full(), status=503)

    def _full(self) -> str:
        return f"{len(self._line)} fills are in line already (max_queue): try again soon."

    async def events(self, work: Callable[[Watch], Event]) -> AsyncGenerator[Event, None]:
        """Do `work` when its turn comes; whoever stops listening ends it at its next step.

        Args:
            work: runs in the thread, tells the watch of every step and returns the last event.

        Yields:
            waiting (`ahead`), running, step, and at the end done with what `work` returned, or failed with a sentence.
        """
        if len(self._line) > self._limits.max_queue:  # others came in since `require_room`
            yield {"kind": "failed", "error": self._full()}
            return
        ticket = object()
        self._line.append(ticket)
        try:
            while self._line[0] is not ticket:
                yield {"kind": "waiting", "ahead": self._line.index(ticket)}
                await self._wait_a_beat()
            if self._over:
                yield {"kind": "failed", "error": ENDED}
                return
            async with aclosing(self._run(work)) as events:
                async for event in events:
                    yield event
        finally:
            self._line.remove(ticket)
            async with self._moved:
                self._moved.notify_all()

    def stop(self) -> None:
        """End what runs at its next step, and the thread with it; who waits is told."""
        self._over = True
        for watch in self._watches:
            watch.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _wait_a_beat(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT), self._moved:
                await self._moved.wait()

    async def _run(self, work: Callable[[Watch], Event]) -> AsyncGenerator[Event, None]:
        watch = Watch(max_seconds=self._limits.max_seconds)
        self._watches.add(watch)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._thread, _begun, work, watch)
            future.add_done_callback(lambda ended: _looked_at(ended, watch))
            yield {"kind": "running"}
            while not future.done():
                event = await watch.next(seconds=BEAT)
                if event is not None or not future.done():
                    yield event or {"kind": "running"}
            for event in watch.left():
                yield event
            yield self._ended(future)
        finally:
            watch.stop()
            self._watches.discard(watch)

    def _ended(self, future: asyncio.Future[Event]) -> Event:
        """Return the last event of a fill that has ended."""
        try:
            return {"kind": "done", **future.result()}
        except (RefusedError, ValueError) as error:
            sentence = str(error)
        except OutOfTimeError:
            sentence = f"This fill took longer than {self._limits.max_seconds:g} seconds (max_seconds): fewer steps or candidates."
        except (StoppedError, asyncio.CancelledError):
            sentence = ENDED
        except MemoryError:
            sentence = "There is not enough memory for this fill: a smaller image or fewer candidates."
        except Exception:
            log.exception("fill")
            sentence = "The fill failed; the terminal of the server says why."
        return {"kind": "failed", "error": sentence}


def _begun(work: Callable[[Watch], Event], watch: Watch) -> Event:
    watch.begin()
    return work(watch)


def _looked_at(ended: asyncio.Future[Event], watch: Watch) -> None:
    """Wake who listens; the error of a fill that nobody listens to any more counts as seen."""
    if not ended.cancelled():
        ended.exception()
    watch.wake()
