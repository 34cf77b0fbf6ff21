"""Text from outside in Markdown: shown as it is, never read as markup; names, notes and messages may hold anything."""

import re
from urllib.parse import quote

MARKUP = re.compile(r"[\\`*\[\]|~$!]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is no markup
AT_THE_START = re.compile(r"[-+#](?=[#\s]|$)|\d+[.)](?=\s|$)|[-=](?=[-=\s]*$)")  # would begin a list or a heading, or be a rule
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # escape sequences, reversed writing


def printable(text: str) -> str:
    """Return text without characters that would move a terminal's cursor or turn the writing around."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def inline(text: str) -> str:
    """Return text as Markdown that shows it, for the middle of a line."""
    line = " ".join(printable(text).split())
    line = re.sub(r"&(?=[#\w]+;)", "&amp;", line).replace("<", "&lt;").replace(">", "&gt;")
    return MARKUP.sub(lambda found: f"\\{found[0]}", line).replace("://", "&#58;//")


def escaped(text: str) -> str:
    """Return text as one line of Markdown that shows it."""
    line = inline(text)
    begins = AT_THE_START.match(line)
    return f"{begins[0][:-1]}\\{begins[0][-1]}{line[begins.end() :]}" if begins else line


def fenced(text: str) -> str:
    """Return text as a block of code, inside a fence that it cannot end."""
    text = "\n".join(printable(line) for line in text.rstrip().splitlines())
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def link_target(path: str) -> str:
    """Return a relative path as the target of a link."""
    return quote(path, errors="surrogateescape")
