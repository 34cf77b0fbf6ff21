"""Who may ask, for how long, and what an answer may do in a browser.

Any page that a user visits can send requests to a server on the same machine. A name that an attacker's DNS points at 127.0.0.1
shows in `Host`, a foreign page in `Origin` and `Sec-Fetch-Site`: both are refused. The policy of every answer forbids requests to
elsewhere.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from maskgit_lab.web.answers import RefusedError, sentence_answer
from maskgit_lab.web.limits import Limits

log = logging.getLogger("maskgit_lab")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK_NAME = "localhost"
WRITING = (hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_DELETE, hdrs.METH_PATCH)
OWN_PAGE = ("same-origin", "none")  # of Sec-Fetch-Site: from a page of this server, or typed by the user
STREAMS = web.AppKey("streams", set)  # paths whose answers take as long as a fill and bound themselves


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is reached from this machine only."""
    return host == LOOPBACK_NAME or _is_address(host, loopback=True)


def host_of(text: str) -> str:
    """Return the host of a `Host` header, without its port; empty when it has none that can be read."""
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""


def only_known_hosts(host: str, names: Iterable[str]) -> Middleware:
    """Refuse requests under a name that is not this server's: DNS rebinding.

    Args:
        host: what the server listens on. Beyond loopback, addresses are accepted too: no DNS answer is in them.
        names: further names by which browsers reach it.

    Returns:
        The middleware.
    """
    known = {LOOPBACK_NAME, host.lower(), *(name.lower() for name in names)}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = host_of(request.headers.get(hdrs.HOST, ""))
        if asked not in known and not _is_address(asked, loopback=is_loopback(host)):
            raise RefusedError(f"This server is not called {asked[:80]!r}; the key allowed_hosts names it.", status=403)
        return await handler(request)

    return middleware


@web.middleware
async def only_own_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site's page sends, and its use of what is here."""
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get(hdrs.HOST, "")
    followed_link = request.method == hdrs.METH_GET and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if foreign or (site is not None and site not in OWN_PAGE and not followed_link):
        raise RefusedError("This server answers its own page only.", status=403)
    return await handler(request)


def sentences_for_errors(limits: Limits) -> Middleware:
    """Bound the time of a request, and turn what goes wrong into a sentence."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(None if request.path in request.app[STREAMS] else limits.max_seconds):
                return await handler(request)
        except RefusedError as error:
            return sentence_answer(str(error), error.status)
        except TimeoutError:
            return sentence_answer(f"That took longer than {limits.max_seconds:g} seconds (max_seconds).", 408)
        except web.HTTPRequestEntityTooLarge:
            return sentence_answer(f"That is more than {limits.max_upload_bytes / 1e6:g} MB (max_upload_bytes).", 413)
        except web.HTTPException as error:
            return sentence_answer(f"{error.reason}: {request.method} {request.path[:80]}", error.status)
        except ConnectionError:  # the browser went away: nobody is left to answer
            raise
        except Exception:
            log.exception(f"{request.method} {request.path}")
            return sentence_answer("Something went wrong in the server; its terminal says what.", 500)

    return middleware


async def put_headers(_: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers on every answer, before it begins; say nothing about the server's version."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.pop(hdrs.SERVER, None)


def _is_address(text: str, *, loopback: bool) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or not loopback
