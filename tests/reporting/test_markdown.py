"""Markdown of text from outside shows the text."""

import pytest

from maskgit_lab.reporting.markdown import escaped, fenced, inline, link_target, printable
from maskgit_lab.reporting.tables import render_markdown, render_table


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("![x](http://evil/x.png)", r"\!\[x\](http&#58;//evil/x.png)"),
        ("[a](javascript:alert)", r"\[a\](javascript:alert)"),
        ("a | b", r"a \| b"),
        ("a \\| b", r"a \\\| b"),
        ("`rm`", r"\`rm\`"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("---", r"\---"),
        ("===", r"\==="),
        ("_x_ fd_tokenizer", r"\_x\_ fd_tokenizer"),
        ("&lt; &", "&amp;lt; &"),
        ("a\n\n# b\n<b>", "a # b &lt;b&gt;"),
        ("-0.5 at epoch 3", "-0.5 at epoch 3"),
    ],
)
def test_escaped_shows_the_text(text: str, markdown: str):
    assert escaped(text) == markdown


def test_render_markdown_keeps_cells_in_their_columns():
    row = render_markdown(["name", "fid"], [["x | <b>\n| y", 0.5]]).splitlines()[-1]
    assert row == r"| x \| &lt;b&gt; \| y | 0.5 |"


def test_render_table_moves_no_cursor():
    assert "\x1b" not in render_table(["name"], [["\x1b[2Jgone"]])
    assert printable("\u202egnp.exe") == "\ufffdgnp.exe"


def test_fenced_cannot_be_ended_from_inside():
    assert fenced("a\n```\n<b>\n````") == "`````\na\n```\n<b>\n````\n`````"


def test_link_target_holds_no_space_and_no_bracket():
    assert link_target("figures/a (1) [x].png") == "figures/a%20%281%29%20%5Bx%5D.png"
    assert inline("plain words, 0.5") == "plain words, 0.5"
