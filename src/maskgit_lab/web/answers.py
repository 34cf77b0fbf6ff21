"""What the server answers when it does not do what it was asked: a sentence as JSON, which the page shows."""

from typing import Any

from aiohttp import web


class RefusedError(Exception):
    """A request that is answered with a sentence instead of what it asked for.

    Args:
        sentence: what is wrong and what helps, for the person at the page.
        status: of HTTP.
    """

    def __init__(self, sentence: str, *, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def sentence_answer(sentence: str, status: int) -> web.Response:
    """Return an answer that holds a sentence."""
    return web.json_response({"error": sentence}, status=status)


def require_object(content: Any, *, known: set[str] | None = None) -> dict[str, Any]:
    """Return `content` if it is a JSON object, of `known` keys unless that is None; raise RefusedError otherwise."""
    if not isinstance(content, dict):
        raise RefusedError("The request is no JSON object.")
    unknown = [] if known is None else sorted(set(content) - known)
    if unknown:
        raise RefusedError(f"The request has a key that is not known: {unknown[0]}.")
    return content
