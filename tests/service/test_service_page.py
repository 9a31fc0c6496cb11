"""The page as browsers meet it: the gateway as a process, over HTTP."""

from __future__ import annotations

import poplib
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clients.browsing import Browser
from tests.servers.ports import free_port
from tests.service.house import PASSWORD, TOM, House, opened
from tests.service.tls import trusting


def test_nobody_sees_anything_before_a_login(port: int) -> None:
    stranger = Browser(port)
    for path in ("/session", "/mailbox", "/api/v1/aliases", "/api/v1/domains", "/api/v1/openapi.json"):
        answer = stranger.ask("GET", path)
        assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json"), path
    assert stranger.ask("GET", "/").status == 200


def test_every_answer_tells_browsers_to_be_strict(port: int, tom: Browser) -> None:
    answers = [
        tom.ask("GET", "/"),
        tom.ask("GET", "/session"),
        tom.ask("GET", "/api/v1/aliases"),
        tom.ask("GET", "/api/v1/nothing"),
        tom.ask("GET", "/nothing"),
        tom.ask("PATCH", "/session"),
        tom.ask("GET", "/%00"),
        tom.ask("POST", "/api/v1/aliases", b"x" * 300_000),
        tom.ask("GET", "/api/"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
    assert {answer.headers["cache-control"] for answer in answers[1:7]} == {"no-store"}


def test_places_say_what_they_may_be_asked(tom: Browser) -> None:
    for path, allowed in (("/", "GET, HEAD"), ("/session", "GET, HEAD, POST, DELETE"), ("/mailbox", "GET, HEAD")):
        answer = tom.ask("PUT", path, {})
        assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_a_head_is_what_a_get_would_be(tom: Browser) -> None:
    for path in ("/", "/session", "/api/v1/aliases"):
        got, bare = tom.ask("GET", path), tom.ask("HEAD", path)
        assert (bare.status, bare.body) == (got.status, b"")
        assert bare.headers["content-length"] == str(len(got.body))


def test_files_are_asked_for_again_and_not_sent_again(port: int) -> None:
    first = Browser(port).ask("GET", "/")
    again = Browser(port).ask("GET", "/", If_None_Match=f'"other", W/{first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert Browser(port).ask("GET", "/", If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    "path", ["/static/../index.html", "/static/%2e%2e/index.html", "/static", "/static/", "//", "/index.html"]
)
def test_there_are_no_files_but_those_of_the_page(port: int, path: str) -> None:
    assert Browser(port).ask("GET", path).status == 404


def test_long_bodies_are_refused(tom: Browser) -> None:
    assert tom.ask("POST", "/api/v1/aliases", b"x" * (256 * 1024 + 1)).status == 413


def test_the_mailbox_is_counted_while_a_session_holds_it(here: tuple[House, int], tom: Browser) -> None:
    house, _ = here
    (house.folder / "mail/mailboxes/example.com/tom").mkdir(parents=True, exist_ok=True)
    (house.folder / "mail/mailboxes/example.com/tom/one").write_bytes(b"Subject: one\r\n\r\nHello\r\n")
    pop = poplib.POP3_SSL("localhost", house.gateway.ports[0], context=trusting(house.authority), timeout=60)
    pop.user(TOM)
    pop.pass_(PASSWORD)
    said = tom.ask("GET", "/mailbox").said
    assert (said["messages"], said["octets"]) == pop.stat()
    pop.quit()
    assert {"protocol": "POP3", "host": "mx.example.com", "port": house.gateway.ports[0], "tls": "implicit"} in said["settings"]


def test_without_a_table_there_is_a_mailbox_and_no_api(tmp_path: Path) -> None:
    port = free_port()
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    with opened(tmp_path, aliases={"table": "none"}, page={"listeners": [listener]}):
        browser = Browser(port)
        assert browser.log_in(TOM, PASSWORD).said["aliases"] is False
        assert browser.ask("GET", "/mailbox").said["messages"] == 0
        assert browser.ask("GET", "/api/v1/aliases").status == 404
        assert browser.ask("GET", "/api/v1/aliases", Authorization="Bearer x").status == 404


_HOSTILE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=80)
_NEAR = st.sampled_from(
    ["/", "/session", "/mailbox", "/api/v1/aliases", "/api/v1/domains/", "/static/", "/api/v1/openapi.json"]
)
_HEADERS = st.dictionaries(
    st.sampled_from(["Cookie", "Authorization", "Origin", "Sec-Fetch-Site", "X-CSRF-Token", "Content-Type", "If-Match", "If-None-Match",
                     "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Host", "Expect"]),
    _HOSTILE,
    max_size=4,
)  # fmt: skip
_METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(method=_METHODS, near=_NEAR, path=_HOSTILE, headers=_HEADERS, body=st.none() | st.binary(max_size=300))
def test_nothing_that_is_sent_is_our_mistake(
    here: tuple[House, int], method: str, near: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    house, port = here
    sent = {"Connection": "close", **headers, **({} if body is None else {"Content-Length": str(len(body))})}
    lines = [f"{method} {near}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall("\r\n".join(lines).encode("latin-1") + (body or b""))
        answer = line.makefile("rb").readline()
    assert re.match(rb"HTTP/1\.1 (?:100|[234]\d\d) ", answer), answer
    assert "Traceback" not in house.gateway.log()
