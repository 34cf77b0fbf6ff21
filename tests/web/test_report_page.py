"""A report is read at its address, made anew, under a policy that lets nothing but its own style and images in."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest

from maskgit_lab.commands.report import report_blocks
from maskgit_lab.reporting.page import Text, render_html
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.report_page import POLICY, report_route
from maskgit_lab.web.server import Place, application
from tests.support.page_server import served
from tests.test_light_start import RUN


def asked(render: object) -> tuple[int, str, str]:
    async def answered() -> tuple[int, str, str]:
        app = application([report_route("/", render)], place=Place(), limits=Limits())  # type: ignore[arg-type]
        async with served(app) as client:
            answer = await client.get("/")
            return answer.status, await answer.text(), answer.headers["Content-Security-Policy"]

    return asyncio.run(answered())


def test_report_is_served_with_its_own_style_and_images_only():
    status, text, policy = asked(lambda: render_html(*report_blocks(RUN)))
    assert (status, policy) == (200, POLICY)
    assert "unsafe" not in policy
    assert "script" not in policy
    assert set(re.findall(r"<(?:script|link|iframe|form)\b", text)) == set()
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert _hash(style) in policy
    assert not re.search(r'\sstyle="', text)


def test_report_is_made_anew_whenever_it_is_asked_for():
    pages = iter(["one", "two"])
    app_text = [asked(lambda: render_html(next(pages), [Text(["a"])]))[1] for _ in range(2)]
    assert ["<h1>one</h1>" in app_text[0], "<h1>two</h1>" in app_text[1]] == [True, True]


@pytest.mark.parametrize("error", [ValueError("result.json is damaged"), FileNotFoundError("gone")])
def test_report_that_cannot_be_made_is_a_sentence(error: Exception):
    def render() -> str:
        raise error

    status, text, _ = asked(render)
    assert status == 500
    assert text == f"There is no report: {error}"


def test_report_of_a_folder_that_is_none_names_it(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        report_blocks(tmp_path)


def _hash(text: str) -> str:

    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
