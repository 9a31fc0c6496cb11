"""Logins on the page: cookies, and what other sites cannot make a browser do."""

from __future__ import annotations

import contextlib
import poplib
import smtplib

import pytest

from tests.clients.browsing import Browser
from tests.service.house import ANN, PASSWORD, TOM, House
from tests.service.pagehouse import ADMIN, SECRET, VICTIMS, logged_in
from tests.service.tls import trusting


def test_a_login_says_who_one_is(port: int) -> None:
    browser = Browser(port)
    said = browser.log_in("TOM@Example.com", PASSWORD).said
    assert said == {"user": TOM, "address": TOM, "admin": False, "csrf": browser.csrf, "base": "", "aliases": True}
    assert browser.ask("GET", "/session").said == said
    assert logged_in(port, ADMIN).ask("GET", "/session").said["admin"] is True


def test_a_wrong_password_opens_nothing_and_tells_nothing(port: int) -> None:
    browser = Browser(port)
    wrong, nobody = browser.log_in(TOM, "wrong"), browser.log_in("nobody@example.com", "wrong")
    assert (wrong.status, wrong.body) == (nobody.status, nobody.body) == (401, wrong.body)
    assert "set-cookie" not in wrong.headers
    assert "www-authenticate" in wrong.headers
    assert "basic" not in wrong.headers["www-authenticate"].lower()


@pytest.mark.parametrize(
    "body",
    [b"", b"user=tom&password=x", b"[]", b'"tom"', b'{"user": "tom"}', b'{"user": 1, "password": 2}', b"[" * 16_000, b"\xff",
     b'{"user": "\\ud800", "password": "x"}', b'{"user": "' + b"x" * 12_000 + b'", "password": "x"}'],
)  # fmt: skip
def test_what_is_no_login_is_refused_in_words(port: int, body: bytes) -> None:
    answer = Browser(port).ask("POST", "/session", body)
    assert answer.status in (400, 401)
    assert answer.said["detail"]


def test_a_login_is_of_one_type_and_one_size(port: int) -> None:
    login = {"user": TOM, "password": PASSWORD}
    for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert Browser(port).ask("POST", "/session", login, Content_Type=type).status == 415
    assert Browser(port).ask("POST", "/session", b"x" * 17_000).status == 413


def test_the_cookie_is_for_the_page_alone(port: int) -> None:
    cookie = Browser(port).log_in(TOM, PASSWORD).headers["set-cookie"]
    assert cookie.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]


def test_a_login_has_a_new_id_whatever_the_browser_had_before(port: int) -> None:
    browser = Browser(port)
    browser.cookies = {"sesmail": "chosen-by-somebody-else"}
    browser.log_in(TOM, PASSWORD)
    first = browser.cookies["sesmail"]
    assert first != "chosen-by-somebody-else"
    browser.log_in(ANN, PASSWORD)
    assert browser.cookies["sesmail"] != first
    before = Browser(port)
    before.cookies = {"sesmail": first}
    assert before.ask("GET", "/session").status == 401


def test_two_cookies_of_the_same_name_are_none(tom: Browser) -> None:
    two = f"sesmail={tom.cookies['sesmail']}; sesmail=other"
    assert tom.ask("GET", "/session", Cookie=two).status == 401


def test_a_logout_ends_the_session_for_everybody_who_has_its_cookie(port: int, tom: Browser) -> None:
    other = Browser(port)
    other.cookies = dict(tom.cookies)
    assert tom.ask("DELETE", "/session").status == 204
    assert tom.cookies == {}
    assert other.ask("GET", "/session").status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_no_change_without_what_only_the_page_knows(tom: Browser, method: str, token: str) -> None:
    tom.csrf = token
    assert tom.ask(method, "/api/v1/aliases", {}).status == 403
    if method == "DELETE":
        assert tom.ask(method, "/session").status == 403
    assert tom.ask("GET", "/session").status == 200


def test_the_token_of_one_session_is_none_for_another(tom: Browser, ann: Browser) -> None:
    tom.csrf = ann.csrf
    assert tom.ask("POST", "/api/v1/aliases", {"local": "x", "domain": "example.com"}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "ftp://127.0.0.1:{port}"},
        {"Origin": "http://[::1"},
    ],
)
def test_pages_of_others_get_nothing_from_a_browser(port: int, tom: Browser, headers: dict[str, str]) -> None:
    said = {name: value.replace("{port}", str(port)) for name, value in headers.items()}
    assert tom.ask("POST", "/api/v1/aliases", {"local": "x", "domain": "example.com"}, **said).status == 403
    assert tom.ask("GET", "/api/v1/aliases", **said).status == 403
    assert tom.ask("GET", "/mailbox", **said).status == 403
    assert tom.ask("DELETE", "/session", **said).status == 403
    assert Browser(port).log_in(TOM, PASSWORD, **said).status == 403


@pytest.mark.parametrize("headers", [{"Sec_Fetch_Site": "same-origin"}, {"Origin": "http://127.0.0.1:{port}"}])
def test_the_page_itself_may_ask(port: int, tom: Browser, headers: dict[str, str]) -> None:
    said = {name: value.replace("{port}", str(port)) for name, value in headers.items()}
    assert tom.ask("GET", "/session", **said).status == 200
    assert tom.ask("POST", "/api/v1/aliases", {}, **said).status != 403
    assert Browser(port).log_in(TOM, PASSWORD, **said).status == 200


def test_who_guesses_on_the_page_waits_in_pop3_and_smtp_too(here: tuple[House, int]) -> None:
    house, port = here
    user = VICTIMS[0]
    assert [Browser(port).log_in(user, "wrong").status for _ in range(6)] == [401] * 5 + [429]
    waits = Browser(port).log_in(user, PASSWORD)
    assert (waits.status, waits.headers["retry-after"]) == (429, "5")
    pop = poplib.POP3_SSL("localhost", house.gateway.ports[0], context=trusting(house.authority), timeout=60)
    pop.user(user)
    with pytest.raises(poplib.error_proto, match=r"LOGIN-DELAY|too many"):
        pop.pass_(PASSWORD)
    pop.close()
    with pytest.raises(smtplib.SMTPResponseException, match=r"4\.7"):
        house.smtp(user)


def test_who_guesses_in_pop3_waits_on_the_page_too(here: tuple[House, int]) -> None:
    house, port = here
    user = VICTIMS[1]
    for _ in range(5):
        pop = poplib.POP3_SSL("localhost", house.gateway.ports[0], context=trusting(house.authority), timeout=60)
        pop.user(user)
        with contextlib.suppress(poplib.error_proto):
            pop.pass_("wrong")
        pop.close()
    assert Browser(port).log_in(user, PASSWORD).status == 429


def test_nothing_secret_is_logged(here: tuple[House, int], tom: Browser) -> None:
    house, port = here
    Browser(port).log_in(TOM, "a-wrong-secret")
    Browser(port).ask("GET", "/api/v1/aliases?q=x", Authorization="Bearer a.wrong.token")
    log = house.gateway.log()
    for secret in (PASSWORD, "a-wrong-secret", "a.wrong.token", SECRET, tom.cookies["sesmail"], tom.csrf):
        assert secret not in log
    assert "Traceback" not in log
