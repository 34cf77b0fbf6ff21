"""Names of files as people read them, whatever bytes they are made of."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

NUM_SHOWN = 5


def shown(path: Path | str) -> str:
    """Return a path that every terminal prints on one line: other bytes than UTF-8 and control characters become `?`."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(character if character.isprintable() and character != "\ufffd" else "?" for character in text)


def folded(name: str) -> str:
    """Return a name in the form in which names are compared: systems differ in case and in how they store accents."""
    return unicodedata.normalize("NFC", name).casefold()


def some(items: Sequence[str], *, most: int = NUM_SHOWN) -> str:
    """Return the first items and how many more there are."""
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest:,} more" if rest > 0 else "")
