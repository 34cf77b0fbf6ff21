"""Pages: complete in themselves, escaped, and the same content as Markdown."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.reporting.page import Block, Code, Figure, Heading, Table, Text, render_html, render_report_markdown


@pytest.fixture
def blocks(tmp_path: Path) -> list[Block]:
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(tmp_path / "a.png")
    return [
        Heading("Scores & more"), Text(["1 < 2"]), Table(["fill", "fid"], [["<grey>", 0.61234], ["model", None]]),
        Figure(tmp_path / "a.png", "One picture"), Code("Configuration", "lr: 1 > 0"),
    ]  # fmt: skip


class Balance(HTMLParser):
    """Count tags that are opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_render_html_is_well_formed_and_needs_nothing_from_elsewhere(blocks: list[Block]):
    page = render_html("A run", blocks)
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "url(" not in page
    assert "data:image/png;base64," in page


def test_render_html_escapes_text(blocks: list[Block]):
    page = render_html("<run>", blocks)
    for text in ("&lt;run&gt;", "1 &lt; 2", "&lt;grey&gt;", "Scores &amp; more", "1 &gt; 0"):
        assert text in page


def test_render_report_markdown_says_the_same_with_links(blocks: list[Block], tmp_path: Path):
    text = render_report_markdown("A run", blocks, folder=tmp_path)
    for part in ("# A run", "## Scores & more", "| &lt;grey&gt; | 0.6123 |", "| model | - |", "![One picture](a.png)", "lr: 1 > 0"):
        assert part in text


def test_render_html_lets_a_keyboard_scroll_tables(blocks: list[Block]):
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Table: fill">' in render_html("A run", blocks)
