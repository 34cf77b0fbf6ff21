"""A headless Chromium, without WebGL, in front of a page that is served from a thread."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from maskgit_lab.web.server import Application

NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = ["--disable-gpu", "--disable-webgl", "--disable-3d-apis"]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser; skip the tests where there is none, or nothing to drive it with."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no chromium here: `make browser` installs it where apt can")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra)")
    with playwright.sync_playwright() as driver:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=program, args=[*ARGUMENTS, *sandbox])
        yield browser
        browser.close()


@contextmanager
def served_from_a_thread(make: Callable[[], Application]) -> Iterator[str]:
    """Serve what `make` returns inside the thread's loop, and yield its address."""
    loop, address, ended = asyncio.new_event_loop(), [""], asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        server = TestServer(make())
        await server.start_server()
        address[0] = str(server.make_url("/"))
        ready.set()
        await ended.wait()
        await server.close()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


# of every text that is seen, the contrast of its colour with what is behind it, where that is less than WCAG 2 asks for
POOR_CONTRAST = """() => {
  const channels = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    const style = getComputedStyle(element);
    if (!text || !element.checkVisibility() || element.closest(":disabled, script, option, noscript, .unseen, .skip")) continue;
    const [a, b] = [light(channels(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) poor.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
# controls that have no name, and names of controls that are there twice
UNNAMED = """() => [...document.querySelectorAll("button, a[href], input, select, canvas[tabindex], summary, progress")]
  .filter((control) => control.checkVisibility() && !control.closest("[aria-hidden=true]"))
  .filter((control) => !(control.getAttribute("aria-label") || control.labels?.[0]?.textContent.trim() || control.textContent.trim()
    || control.querySelector("img[alt]")?.alt)).map((control) => control.outerHTML)"""
SHOWN = """(at) => { const canvas = document.getElementById("canvas"); const ctx = canvas.getContext("2d");
  return [...ctx.getImageData(Math.round(at[0] * devicePixelRatio), Math.round(at[1] * devicePixelRatio), 1, 1).data]; }"""
