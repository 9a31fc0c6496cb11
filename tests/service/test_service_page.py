"""The page and the API as browsers and programs meet them: the gateway as a process, over HTTP."""

from __future__ import annotations

import contextlib
import poplib
import re
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.api.tokens import claims
from sesmail.auth.tokens import make
from tests.clients.browsing import Browser
from tests.servers.ports import free_port, wait_until
from tests.service.house import ANN, PASSWORD, TOM, House, opened
from tests.service.tls import trusting

SECRET = "a secret of thirty-two octets, or more"
ADMIN = "postmaster@example.com"
# Nobody logs in as these but the tests of the throttle.
VICTIMS = ("first@example.com", "second@example.com", "third@example.com")


@contextlib.contextmanager
def paged(folder: Path, **page: object) -> Iterator[tuple[House, int]]:
    """The gateway with a page on plain HTTP, and its port."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    users = [{"name": name, "password": PASSWORD} for name in (TOM, ANN, ADMIN, *VICTIMS)]
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    with opened(
        folder,
        auth={"checkers": ["static", "jwt"], "jwt_secret": "another secret of thirty-two octets", "users": users},
        aliases={"table": "sqlite", "map": None},
        mailboxes={"domains": ["example.com"], "default_domain": "example.com"},
        page={"listeners": [listener], "admins": [ADMIN.partition("@")[0]], "token_secret": SECRET, **page},
    ) as house:
        yield house, port


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    with paged(tmp_path_factory.mktemp("page") / "house") as found:
        yield found


@pytest.fixture
def port(here: tuple[House, int]) -> int:
    return here[1]


@pytest.fixture
def tom(port: int) -> Browser:
    return logged_in(port, TOM)


@pytest.fixture
def ann(port: int) -> Browser:
    return logged_in(port, ANN)


def logged_in(port: int, user: str) -> Browser:
    browser = Browser(port)
    assert browser.log_in(user, PASSWORD).status == 200
    return browser


def made(browser: Browser, local: str) -> str:
    """The path of a new alias."""
    answer = browser.ask("POST", "/api/v1/aliases", {"local": local, "domain": "example.com"})
    assert answer.status == 201, answer.body
    return f"/api/v1/aliases/{answer.said['identifier']}"


def test_nobody_sees_anything_before_a_login(port: int) -> None:
    stranger = Browser(port)
    for path in ("/session", "/mailbox", "/api/v1/aliases", "/api/v1/domains", "/api/v1/openapi.json"):
        answer = stranger.ask("GET", path)
        assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json"), path
    assert stranger.ask("GET", "/").status == 200


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


def test_what_is_anothers_is_not_there(tom: Browser, ann: Browser) -> None:
    path = made(tom, "toms-shop")
    etag = tom.ask("GET", path).headers["etag"]
    assert ann.ask("GET", path).status == 404
    assert ann.ask("PATCH", path, {"active": False}, If_Match=etag).status == 404
    assert ann.ask("PUT", path, {"active": False}, If_Match=etag).status in (404, 405)
    assert ann.ask("DELETE", path, If_Match=etag).status == 404
    assert b"toms-shop" not in ann.ask("GET", "/api/v1/aliases").body
    assert b"toms-shop" not in ann.ask("GET", "/api/v1/aliases?q=shop").body
    assert tom.ask("GET", path).said["active"] is True


def test_nobody_gives_away_or_takes_what_belongs_to_people(port: int, tom: Browser, ann: Browser) -> None:
    path = made(tom, "toms-own")
    etag = tom.ask("GET", path).headers["etag"]
    assert tom.ask("PATCH", path, {"owner": ANN}, If_Match=etag).status in (403, 422)
    stolen = {"local": "gift", "domain": "example.com", "owner": TOM}
    assert ann.ask("POST", "/api/v1/aliases", stolen).status in (403, 422)
    forwarded = {"local": "leak", "domain": "example.com", "destinations": ["victim@else.example"]}
    assert ann.ask("POST", "/api/v1/aliases", forwarded).status in (403, 422)
    admin = logged_in(port, ADMIN)
    assert admin.ask("PATCH", path, {"owner": ANN}, If_Match=etag).status == 200
    assert ann.ask("GET", path).status == 200
    assert tom.ask("GET", path).status == 404


def test_the_alias_of_another_account_cannot_be_made(tom: Browser) -> None:
    assert tom.ask("POST", "/api/v1/aliases", {"local": "ann", "domain": "example.com"}).status == 409


def test_programs_use_tokens_of_the_api_and_no_others(port: int) -> None:
    program = Browser(port)

    def status(token: str) -> int:
        return program.ask("GET", "/api/v1/aliases", Authorization=f"Bearer {token}").status

    good = make(claims(TOM, int(time.time()) + 60), SECRET)
    assert status(good) == 200
    assert status(make(claims(TOM, int(time.time()) - 60), SECRET)) == 401
    assert status(make(claims(TOM, int(time.time()) + 60), SECRET + "x")) == 401
    assert status(make({"email": TOM, "exp": int(time.time()) + 60}, SECRET)) == 401
    assert status(make({"provider": "demo", "email": TOM}, "another secret of thirty-two octets")) == 401
    assert status("") == status("x") == 401
    changed = program.ask(
        "POST", "/api/v1/aliases", {"local": "robot", "domain": "example.com"}, Authorization=f"Bearer {good}"
    )
    assert changed.status == 201
    assert program.ask("GET", "/mailbox", Authorization=f"Bearer {good}").status == 401


def test_a_bad_token_is_not_made_good_by_a_cookie(tom: Browser) -> None:
    assert tom.ask("GET", "/api/v1/aliases", Authorization="Bearer x").status == 401


def test_a_password_that_a_proxy_asks_for_does_not_get_in_the_way(tom: Browser) -> None:
    assert tom.ask("GET", "/api/v1/aliases", Authorization="Basic dG9tOng=").status == 200


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


def test_who_guesses_on_the_page_waits_in_pop3_and_smtp_too(here: tuple[House, int]) -> None:
    house, port = here
    user = VICTIMS[0]
    assert [Browser(port).log_in(user, "wrong").status for _ in range(6)] == [401] * 5 + [429]
    assert Browser(port).log_in(user, PASSWORD).status == 429
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


def test_the_token_of_an_administrator_may_do_all(port: int, tom: Browser) -> None:
    path = made(tom, "seen-by-all")
    token = make(claims(ADMIN, int(time.time()) + 60), SECRET)
    assert Browser(port).ask("GET", path, Authorization=f"Bearer {token}").said["owner"] == TOM


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
