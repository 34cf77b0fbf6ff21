"""A report as a list of blocks, written as one self-contained HTML page or as Markdown."""

import base64
import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.reporting.markdown import escaped, fenced, link_target
from maskgit_lab.reporting.tables import format_cell, render_markdown

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #23242b; --soft: #6a6c78; --line: #dcdce2; --paper: #fbfaf7; --card: #fff; --accent: #2f6f8f; --shade: #0005
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e1; --soft: #a5a6b0; --line: #3a3b45; --paper: #17181d; --card: #20212a; --accent: #7fb8d4;
    --shade: #fff6 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1rem 4rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem } p { margin: .4rem 0 }
.note { color: var(--soft) }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; margin: .8rem 0; background:
    linear-gradient(90deg, var(--card) 40%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(270deg, var(--card) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(90deg, var(--shade), transparent) left / 1.1rem 100% no-repeat scroll,
    linear-gradient(270deg, var(--shade), transparent) right / 1.1rem 100% no-repeat scroll, var(--card);
  scrollbar-width: thin; scrollbar-color: var(--accent) var(--line) }
.scroll::-webkit-scrollbar { height: 9px } .scroll::-webkit-scrollbar-track { background: var(--line) }
.scroll::-webkit-scrollbar-thumb { background: var(--accent); border-radius: 5px }
.scroll:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .4rem .8rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card) }
@media (max-width: 600px) {
  th, td { padding: .35rem .5rem } th:first-child, td:first-child { white-space: normal; min-width: 6.5rem }
}
tr:last-child td { border-bottom: 0 } th { color: var(--soft); font-weight: 600 }
figure { margin: 1rem 0 } figcaption { color: var(--soft); font-size: .9rem; margin-bottom: .3rem }
figure .scroll { background: #fff } img { display: block; max-width: 100%; height: auto } .wide img { min-width: 760px }
details { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; background: var(--card); margin: .8rem 0 }
summary { cursor: pointer; color: var(--accent) } pre { overflow-x: auto; font-size: .82rem; line-height: 1.4 }
"""
SHRINKS_BELOW = 1100  # pixels of width; on small screens wider figures scroll, because they would be too small


@dataclass(frozen=True)
class Heading:
    """Start of a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """Paragraphs."""

    lines: Sequence[str]
    soft: bool = False  # less important


@dataclass(frozen=True)
class Table:
    """Rows under headers; numbers are shown with four digits."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Figure:
    """A PNG file."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Code:
    """Text that is folded away."""

    summary: str
    text: str


Block = Heading | Text | Table | Figure | Code


def render_html(title: str, blocks: Sequence[Block]) -> str:
    """Return one page with style and figures inside: it opens anywhere, without a network."""
    body = "\n".join(_HTML[type(block)](block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main>\n<h1>{html.escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def render_report_markdown(title: str, blocks: Sequence[Block], *, folder: Path) -> str:
    """Return the same as Markdown in `folder`, with links to the figures."""
    parts = [f"# {escaped(title)}"]
    for block in blocks:
        if isinstance(block, Figure):
            caption, target = escaped(block.caption), link_target(os.path.relpath(block.path, folder))
            parts.append(f"{caption}\n\n![{caption}]({target})")
        else:
            parts.append(_MARKDOWN[type(block)](block))
    return "\n\n".join(parts) + "\n"


def _table_html(block: Table) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in block.headers)
    rows = ("".join(f"<td>{html.escape(format_cell(cell))}</td>" for cell in row) for row in block.rows)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    name = html.escape(str(block.headers[0]), quote=True)
    box = f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {name}">'  # a keyboard scrolls what has the focus
    return f"{box}<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _figure_html(block: Figure) -> str:
    content = block.path.read_bytes()
    width = int.from_bytes(content[16:20], "big")  # of a PNG's header
    data = base64.b64encode(content).decode()
    caption = html.escape(block.caption)
    wide = ' wide" tabindex="0" role="region" aria-label="Figure' if width > SHRINKS_BELOW else ""
    return (
        f'<figure><figcaption>{caption}</figcaption><div class="scroll{wide}">'
        f'<img src="data:image/png;base64,{data}" alt="{caption}"></div></figure>'
    )


def _text_html(block: Text) -> str:
    kind = ' class="note"' if block.soft else ""
    return "\n".join(f"<p{kind}>{html.escape(line)}</p>" for line in block.lines)


_HTML: dict[type[Any], Callable[[Any], str]] = {
    Heading: lambda block: f"<h2>{html.escape(block.text)}</h2>",
    Text: _text_html,
    Table: _table_html,
    Figure: _figure_html,
    Code: lambda block: f"<details><summary>{html.escape(block.summary)}</summary><pre>{html.escape(block.text)}</pre></details>",
}
_MARKDOWN: dict[type[Any], Callable[[Any], str]] = {
    Heading: lambda block: f"## {escaped(block.text)}",
    Text: lambda block: "\n\n".join(escaped(line) for line in block.lines),
    Table: lambda block: render_markdown(block.headers, block.rows).rstrip(),
    Code: lambda block: f"{escaped(block.summary)}\n\n{fenced(block.text)}",
}
