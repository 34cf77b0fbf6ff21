"""The documentation as a site: it builds without a warning, needs no network, and no page is forgotten."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
MENU = re.findall(r":\s+([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
# what makes a browser ask another computer; links that a reader may follow are none of it
FETCHED = re.compile(r"""(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*\shref)=["']?(?:https?:)?//[^"'\s>]+""")


def test_menu_names_every_page_once():
    assert sorted(MENU) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_pages_begin_with_their_title(page: str):
    assert re.match(r"# \S", (ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.thorough
def test_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path):
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material, which builds the site, is not installed (pip install -e '.[docs]')")
    environment = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    answer = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "WARNING" not in answer.stderr
    for page in PAGES:
        text = (tmp_path / "site" / page).with_suffix(".html").read_text(encoding="utf-8")
        assert FETCHED.findall(text) == []
        assert "<h1" in text
    assert (tmp_path / "site" / "search" / "search_index.json").stat().st_size > 100_000


def test_fetched_finds_what_a_browser_would_fetch():
    fetching = (
        '<script src="https://a.b/c.js">', '<link rel="stylesheet" href="//fonts.b/c.css">', "<img alt='' src='http://a.b/c.png'>"
    )  # fmt: skip
    assert all(FETCHED.search(text) for text in fetching)
    assert not FETCHED.search('<a href="https://a.b">x</a><img src="images/a.png"><link href="assets/a.css">')
