"""The page under a base path, behind a proxy, over TLS, and how many may connect."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.browsing import Browser
from tests.servers.ports import free_port, wait_until
from tests.service.house import PASSWORD, TOM, House, opened
from tests.service.pagehouse import ADMIN, made, paged
from tests.service.tls import trusting


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    """Under a base path, behind a proxy on this machine, and with tacomail's paths."""
    folder = tmp_path_factory.mktemp("behind") / "house"
    with paged(folder, base="/mail/page", proxies=["127.0.0.0/8"], tacomail=True) as found:
        yield found


def test_the_page_lies_under_its_base_path_and_nowhere_else(behind: tuple[House, int]) -> None:
    _, port = behind
    top, below = Browser(port), Browser(port, base="/mail/page")
    moved = top.ask("GET", "/mail/page")
    assert (moved.status, moved.headers["location"]) == (308, "/mail/page/")
    for path in ("/", "/session", "/mail/", "/mail/pages/", "/mail/page//", "/static/start.mjs"):
        assert top.ask("GET", path).status == 404, path
    assert below.ask("GET", "/").status == 200
    assert below.ask("GET", "/static/start.mjs").headers["content-type"] == "text/javascript; charset=utf-8"
    cookie = below.log_in(TOM, PASSWORD).headers["set-cookie"]
    assert cookie.startswith("sesmail=")
    assert "; Path=/mail/page/; " in cookie
    assert below.ask("GET", "/session").said["base"] == "/mail/page"
    assert made(below, "under-a-base")


def test_what_a_proxy_says_is_believed(behind: tuple[House, int]) -> None:
    house, port = behind
    browser = Browser(port, base="/mail/page")
    said = {"X_Forwarded_For": "203.0.113.9, 192.0.2.77", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "mail.example.com"}
    answer = browser.log_in(TOM, PASSWORD, Origin="https://mail.example.com", **said)
    assert answer.headers["set-cookie"].startswith("__Secure-sesmail=")
    assert answer.headers["set-cookie"].endswith("; Secure")
    assert browser.ask("GET", "/session", **said).status == 200
    assert Browser(port, base="/mail/page").log_in(TOM, PASSWORD, Origin="https://127.0.0.1:1", **said).status == 403
    house.gateway.wait_for_log(r"login user=tom@example\.com peer=192\.0\.2\.77 protocol=https")


def test_guesses_through_a_proxy_are_counted_by_who_makes_them(behind: tuple[House, int]) -> None:
    _, port = behind
    browser = Browser(port, base="/mail/page")
    for number in range(30):
        assert browser.log_in(f"nobody{number}", "wrong", X_Forwarded_For="198.51.100.1").status == 401
    assert browser.log_in(TOM, PASSWORD, X_Forwarded_For="198.51.100.1").status == 429
    assert browser.log_in(TOM, PASSWORD, X_Forwarded_For="198.51.100.2").status == 200


def test_without_a_proxy_nobody_makes_up_where_he_is(here: tuple[House, int]) -> None:
    house, port = here
    browser = Browser(port)
    answer = browser.log_in(TOM, PASSWORD, X_Forwarded_For="192.0.2.78", X_Forwarded_Proto="https")
    assert answer.headers["set-cookie"].startswith("sesmail=")
    assert "192.0.2.78" not in house.gateway.log()


def test_the_paths_of_tacomail_are_answered_where_that_is_wished(here: tuple[House, int], behind: tuple[House, int]) -> None:
    browser = Browser(behind[1], base="/mail/page")
    browser.log_in(ADMIN, PASSWORD)
    assert browser.ask("GET", "/domain").status in (200, 405)
    made_one = browser.ask("POST", "/api/v1/aliases", {"local": "taco", "domain": "example.com"}).said
    found = browser.ask("GET", "/alias?alias=taco@example.com")
    assert (found.status, found.said[0]["uuid"]) == (200, made_one["identifier"])
    # A page of somebody else's can make a browser GET anything.
    assert browser.ask("GET", f"/alias/{made_one['identifier']}/deactivate").status == 403
    assert browser.ask("GET", "/alias?alias=taco@example.com").said[0]["active"] is True
    plain = Browser(here[1])
    plain.log_in(ADMIN, PASSWORD)
    assert plain.ask("GET", "/domain").status == 404


def test_over_tls_the_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    listener = {"endpoint": f"tcp:{(port := free_port())}:interface=127.0.0.1", "tls": "implicit"}
    with paged(tmp_path / "house", listeners=[listener]) as (house, _):
        browser = Browser(port, tls=trusting(house.authority))
        cookie = browser.log_in(TOM, PASSWORD).headers["set-cookie"]
        assert cookie.startswith("__Host-sesmail=")
        assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]
        assert browser.ask("GET", "/session", Origin=f"https://localhost:{port}").status == 200
        assert browser.ask("GET", "/session", Origin=f"http://localhost:{port}").status == 403
        # A cookie that a page without TLS has set is not this one.
        browser.cookies = {"sesmail": browser.cookies["__Host-sesmail"]}
        assert browser.ask("GET", "/session").status == 401


@pytest.mark.parametrize(("proxies", "served"), [([], 2), (["127.0.0.1"], 6)])
def test_one_address_has_so_many_connections_and_a_proxy_all(tmp_path: Path, proxies: list[str], served: int) -> None:
    port = free_port()
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    page = {"listeners": [listener], "proxies": proxies}
    with opened(tmp_path, limits={"connections_per_address": 2}, page=page) as house:
        # Whoever looked whether the port is open may be counted for a moment.
        wait_until(lambda: answered(port, 6) == served, seconds=30, what=house.gateway.log)
        assert answered(port, 6) <= served


def answered(port: int, count: int) -> int:
    """How many of so many connections at a time are."""
    with contextlib.ExitStack() as end:
        lines = [end.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(count)]
        return sum(map(_is_answered, lines))


def _is_answered(line: socket.socket) -> bool:
    try:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return line.recv(12) == b"HTTP/1.1 200"
    except ConnectionError:
        return False
