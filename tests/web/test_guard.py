"""Other sites' pages, other names and other machines get nothing; every answer carries the policy."""

import asyncio
from typing import Any

import pytest

from maskgit_lab.web.guard import host_of, is_loopback
from maskgit_lab.web.server import Place
from tests.support.page_requests import sentence
from tests.support.page_server import page, served


def status(path: str, *, place: Place | None = None, method: str = "GET", **headers: Any) -> tuple[int, Any]:
    async def asked() -> tuple[int, Any]:
        async with served(page(place=place)) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await client.request(method, path, headers=named)
            return answer.status, await sentence(answer) if answer.status >= 400 else answer.headers

    return asyncio.run(asked())


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:9999", "[::1]:80", "LOCALHOST:80"])
def test_guard_answers_under_names_of_this_machine(host: str):
    assert status("/api/about", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.7", "", "[bad", "127.0.0.1.evil.example"])
def test_guard_refuses_other_names_which_dns_could_point_here(host: str):
    code, text = status("/api/about", Host=host)
    assert code in (400, 403), text


def test_guard_answers_under_allowed_names_and_beyond_loopback_under_addresses():
    wide = Place(host="0.0.0.0", allowed_hosts=["lab.example"])
    assert status("/", place=wide, Host="lab.example:8000")[0] == 200
    assert status("/", place=wide, Host="10.0.0.7:8000")[0] == 200
    code, text = status("/", place=wide, Host="evil.example")
    assert code == 403
    assert "allowed_hosts" in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/images", "/api/fill"])
def test_guard_refuses_posts_of_other_sites(path: str, headers: dict[str, str]):
    assert status(path, method="POST", **headers) == (403, "This server answers its own page only.")


def test_guard_refuses_what_another_site_embeds_and_takes_links_to_the_page():
    assert status("/api/about", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert status("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/about"])
def test_guard_puts_the_policy_on_every_answer(path: str):
    _, headers = status(path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


def test_guard_answers_what_is_not_there_with_a_sentence():
    assert status("/nothing") == (404, "Not Found: GET /nothing")
    assert status("/static/..%2fguard.py")[0] == 404
    assert status("/static/%2e%2e/guard.py")[0] == 404
    assert status("/api/about", method="POST")[0] == 405


def test_loopback_is_what_only_this_machine_reaches():
    assert [is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.7", "lab.example", "")] == [False] * 5


def test_host_of_reads_names_without_their_port():
    assert [host_of(text) for text in ("a:80", "[::1]:80", "A", "a:b:c:[")] == ["a", "::1", "a", ""]
