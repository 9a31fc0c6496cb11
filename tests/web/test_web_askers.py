"""Who asks: what proxies say is believed, what others say is not."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.http_headers import Headers

from sesmail.web.answers import Answer, Head
from sesmail.web.askers import Asker, Proxies, is_foreign

PROXIES = Proxies(["10.0.0.0/8", "2001:db8::1"])


def head(peer: str, *, secure: bool = False, **headers: str | list[str]) -> Head:
    said = Headers({"Host": ["inside:8080"]})
    for name, value in headers.items():
        said.setRawHeaders(name.replace("_", "-"), [value] if isinstance(value, str) else value)
    return Head("GET", "/", said, 0, peer, secure=secure)


def test_without_a_proxy_it_is_the_peer() -> None:
    claims: dict[str, Any] = {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}
    for peer in ("192.0.2.7", "127.0.0.1", "2001:db8::2"):
        assert PROXIES.asker(head(peer, **claims)) == Asker(peer, False, "inside:8080")
        assert PROXIES.asker(head(peer, secure=True)) == Asker(peer, True, "inside:8080")


def test_behind_a_proxy_it_is_whom_the_proxy_names() -> None:
    said: dict[str, Any] = {
        "X_Forwarded_For": "192.0.2.1",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "mail.example.com",
    }
    for peer in ("10.1.2.3", "2001:db8::1", "unix"):
        assert PROXIES.asker(head(peer, **said)) == Asker("192.0.2.1", True, "mail.example.com")


@pytest.mark.parametrize(
    ("said", "peer"),
    [
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("192.0.2.1, nonsense", "10.1.2.3"),
        ("nonsense, 10.0.0.2", "10.0.0.2"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "10.1.2.3"),
    ],
)
def test_only_the_last_who_is_no_proxy_of_ours_counts(said: str | list[str], peer: str) -> None:
    assert PROXIES.asker(head("10.1.2.3", X_Forwarded_For=said)).peer == peer


def test_a_proxy_that_says_http_is_believed_too() -> None:
    assert PROXIES.asker(head("10.1.2.3", secure=True, X_Forwarded_Proto="http")).secure is False


def test_own_pages_are_told_by_what_browsers_call_us() -> None:
    asker = Asker("192.0.2.1", True, "mail.example.com")
    assert not is_foreign(head("x", Origin="https://mail.example.com"), asker)
    assert not is_foreign(head("x", Origin="https://MAIL.example.com"), asker)
    assert not is_foreign(head("x"), asker)
    assert is_foreign(head("x", Origin="http://mail.example.com"), asker)
    assert is_foreign(head("x", Origin="https://mail.example.com:444"), asker)
    assert is_foreign(head("x", Origin=["https://mail.example.com", "https://evil.example"]), asker)
    assert is_foreign(head("x", Sec_Fetch_Site=["same-origin", "cross-site"]), asker)
    assert is_foreign(head("x", Origin=""), Asker("192.0.2.1", True, ""))


def test_an_answer_has_no_header_that_ends_before_its_end() -> None:
    for value in ("x\r\nSet-Cookie: y", "x\ny", "x\0", " x", "é\n", "ā", ""):
        with pytest.raises(ValueError, match="X-Test"):
            Answer(200, (("X-Test", value),))
