"""The server listens where it is told, or says in one line why it cannot."""

import asyncio
import logging
import re
import socket

import pytest

from maskgit_lab.web.limits import Limits
from maskgit_lab.web.server import Application, Place, application, serve


def nothing() -> Application:
    return application([], place=Place(), limits=Limits())


def test_server_names_a_port_that_is_taken_and_the_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"host=127\.0\.0\.1 port={port}: .*; port=0 takes one that is free"):
            asyncio.run(serve(nothing, Place(port=port)))


def test_server_warns_where_others_can_reach_it(caplog: pytest.LogCaptureFixture):
    async def for_a_moment() -> None:
        task = asyncio.create_task(serve(nothing, Place(host="0.0.0.0", port=0)))
        async with asyncio.timeout(10):
            while "Ctrl-C" not in caplog.text:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        asyncio.run(for_a_moment())
    warning, address = (record.getMessage() for record in caplog.records)
    assert warning.startswith("host=0.0.0.0: whoever reaches this machine can use this page")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)", address)
