"""The checker that asks a web server, against a real one."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sesmail.auth import httpbasic
from sesmail.auth.httpbasic import HTTPChecker
from sesmail.auth.names import Names, UnknownUser
from sesmail.config.load import load
from sesmail.errors import BadLogin, Unavailable
from sesmail.interfaces import Account, Keys, Place, StorePlace
from sesmail.service.logins import place_at
from tests.servers.certificates import Authority
from tests.service.tls import temporary

GRANT = {
    "awsAccessKeyID": "AKIAEXAMPLE",
    "awsSecretAccessKey": "s3cretkey",
    "region": "eu-central-1",
    "bucket": "their-mail",
    "prefix": "tom/",
    "provider": "none",
    "more": 1,
}
GOOD = json.dumps(GRANT).encode()

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return respond


class Asked:
    """A web server that answers as it is told, and notes what it was asked."""

    def __init__(self, case: TestCase, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self.answer: Answer = answer(200, GOOD)
        self.requests: list[tuple[str, str]] = []
        self.connections: set[Any] = set()
        self.at_once = self.most_at_once = 0
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with lock:
                    outer.at_once += 1
                    outer.most_at_once = max(outer.at_once, outer.most_at_once)
                    outer.requests.append((self.path, self.headers.get("Authorization", "")))
                    outer.connections.add(self.client_address)
                try:
                    outer.answer(self)
                except OSError:
                    self.close_connection = True
                finally:
                    with lock:
                        outer.at_once -= 1

            def log_message(self, format: str, *args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self.server = Server((host, 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


def slow(request: BaseHTTPRequestHandler) -> None:
    time.sleep(0.05)
    answer(401)(request)


def drip(request: BaseHTTPRequestHandler) -> None:
    """Headers at once, a body that never ends."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        time.sleep(0.05)


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    for _ in range(100_000):
        request.wfile.write(b" " * 10_000)


def short(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(GOOD) + 1))
    request.end_headers()
    request.wfile.write(GOOD)
    request.close_connection = True


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


class HTTPCheckerTest(TestCase):
    def setUp(self) -> None:
        self.server = Asked(self)
        self.checker = self.make(f"http://127.0.0.1:{self.server.port}/login?a=b")

    def make(self, url: str, **options: Any) -> HTTPChecker:
        names = Names(frozenset({"example.com"}), "example.com")
        checker = HTTPChecker(url, names, place_at(load(None, {"HOME": "/nowhere"})), reactor, **{"timeout": 5.0, **options})
        self.addCleanup(checker.close)
        return checker

    def login(self, name: bytes = b"tom", password: bytes = b"secret", checker: HTTPChecker | None = None) -> Deferred[Account]:
        return (checker or self.checker).requestAvatarId(UsernamePassword(name, password))

    async def refused(self, kind: type[Exception], *args: Any, **options: Any) -> Exception:
        try:
            account = await self.login(*args, **options)
        except kind as error:
            return error
        raise AssertionError(account)

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)

    async def test_the_login_is_asked_as_it_was_typed_and_the_reply_says_where_the_mail_lies(self) -> None:
        account = await self.login(b"TOM", b"s\xc3\xa9cret:with \xff")
        keys = Keys("AKIAEXAMPLE", "s3cretkey", None)
        place = Place(StorePlace("s3://their-mail", region="eu-central-1", keys=keys), "tom/")
        self.assertEqual(account, Account("tom@example.com", "tom@example.com", place))
        basic = base64.b64encode(b"TOM:s\xc3\xa9cret:with \xff").decode()
        self.assertEqual(self.server.requests, [("/login?a=b", f"Basic {basic}")])

    async def test_a_name_that_is_no_address_of_ours_has_none(self) -> None:
        self.assertIsNone((await self.login(b"tom@other.example")).address)

    async def test_a_name_that_basic_authentication_cannot_say_is_not_asked(self) -> None:
        for name in (b"a:b", b"", b"\xff"):
            await self.refused(UnknownUser, name)
        self.assertEqual(self.server.requests, [])

    async def test_each_login_asks_anew(self) -> None:
        await self.login()
        await self.login()
        self.assertEqual(len(self.server.requests), 2)

    async def test_connections_are_used_again(self) -> None:
        for _ in range(5):
            await self.login()
        self.assertEqual(len(self.server.connections), 1)

    async def test_a_refusal_is_a_bad_login_that_asks_nobody_else(self) -> None:
        for status in (400, 401, 403, 404, 410, 201, 204, 304):
            self.server.answer = answer(status)
            error = await self.refused(BadLogin, b"tom", b"%d" % status)
            self.assertNotIsInstance(error, UnknownUser)

    async def test_a_refused_login_is_remembered_for_a_moment(self) -> None:
        self.server.answer = answer(401)
        for _ in range(5):
            await self.refused(BadLogin)
        self.assertEqual(len(self.server.requests), 1)
        await self.refused(BadLogin, b"tom", b"other")
        await self.refused(BadLogin, b"ann")
        self.assertEqual(len(self.server.requests), 3)

    async def test_what_is_remembered_of_refused_logins_is_bounded_and_says_nothing(self) -> None:
        self.patch(httpbasic, "REFUSED_KEPT", 3)
        self.server.answer = answer(401)
        for number in range(6):
            await self.refused(BadLogin, b"tom", b"s3cret%d" % number)
        self.assertEqual(len(self.checker._refused._until), 3)
        self.assertNotIn("s3cret", repr(vars(self.checker._refused)))

    async def test_trouble_is_no_wrong_password_and_not_remembered(self) -> None:
        for status in (500, 502, 503, 504, 408, 429):
            self.server.answer = answer(status)
            await self.refused(Unavailable)
        self.server.answer = answer(200, GOOD)
        await self.login()

    async def test_a_reply_that_is_not_to_be_understood_is_trouble(self) -> None:
        missing = json.dumps({**GRANT, "bucket": ""}).encode()
        evil = json.dumps({**GRANT, "bucket": "evil.example/x"}).encode()
        number = json.dumps({**GRANT, "prefix": 1}).encode()
        for body in (b"", b"{}", b"[]", b"{", b"\xff", b"<html>", b"[" * 20_000, missing, evil, number):
            self.server.answer = answer(200, body)
            await self.refused(Unavailable)

    async def test_a_reply_that_is_too_long_too_short_or_none_is_trouble(self) -> None:
        for behaviour in (endless, short, hang_up, answer(200, b" " * 70_000 + GOOD, Connection="close")):
            self.server.answer = behaviour
            await self.refused(Unavailable)

    async def test_a_server_that_does_not_come_to_an_end_is_trouble_in_time(self) -> None:
        checker = self.make(f"http://127.0.0.1:{self.server.port}/", timeout=0.3)
        self.server.answer = drip
        began = time.monotonic()
        await self.refused(Unavailable, checker=checker)
        self.assertLess(time.monotonic() - began, 3)

    async def test_a_server_that_is_not_there_is_trouble(self) -> None:
        self.server.server.shutdown()
        self.server.server.server_close()
        await self.refused(Unavailable)

    async def test_a_redirect_within_the_server_is_followed(self) -> None:
        def there(request: BaseHTTPRequestHandler) -> None:
            respond = answer(200, GOOD) if request.path == "/there" else answer(302, Location="/there")
            respond(request)

        self.server.answer = there
        await self.login()
        self.assertEqual([path for path, _ in self.server.requests], ["/login?a=b", "/there"])
        self.assertTrue(all(basic for _, basic in self.server.requests))

    async def test_a_redirect_to_another_server_is_not_and_sees_no_password(self) -> None:
        other = Asked(self)
        hosts = ("http://127.0.0.1:{0}/", "//127.0.0.1:{0}/", "http://localhost:{0}/", "https://127.0.0.1:{1}/")
        for location in (*hosts, "http://x@127.0.0.1:{1}/", "", "http://[::1", "file:///etc/passwd"):
            self.server.answer = answer(307, Location=location.format(other.port, self.server.port))
            await self.refused(Unavailable)
        self.assertEqual(other.requests, [])

    async def test_a_circle_of_redirects_ends(self) -> None:
        self.server.answer = answer(302, Location="/login")
        await self.refused(Unavailable)
        self.assertLess(len(self.server.requests), 10)

    async def test_one_request_of_a_user_is_under_way_at_a_time(self) -> None:
        self.server.answer = slow
        await gatherResults([Deferred.fromCoroutine(self.refused(BadLogin, b"tom", b"%d" % number)) for number in range(6)])
        self.assertEqual((self.server.most_at_once, len(self.server.requests)), (1, 6))
        self.assertEqual(self.checker._turns, {})

    async def test_the_same_wrong_password_many_times_at_once_is_asked_once(self) -> None:
        self.server.answer = slow
        await gatherResults([Deferred.fromCoroutine(self.refused(BadLogin)) for _ in range(6)])
        self.assertEqual(len(self.server.requests), 1)

    async def test_more_waiting_logins_of_a_user_than_make_sense_are_trouble(self) -> None:
        self.server.answer = slow
        kinds = [BadLogin] * httpbasic.WAITING_PER_USER + [Unavailable] * 3
        await gatherResults(
            [Deferred.fromCoroutine(self.refused(kind, b"tom", b"%d" % number)) for number, kind in enumerate(kinds)]
        )

    async def test_different_users_do_not_wait_for_each_other(self) -> None:
        self.server.answer = slow
        await gatherResults([Deferred.fromCoroutine(self.refused(BadLogin, b"user%d" % number)) for number in range(4)])
        self.assertGreater(self.server.most_at_once, 1)

    async def test_a_server_on_the_ipv6_loopback_is_asked(self) -> None:
        server = Asked(self, "::1")
        await self.login(checker=self.make(f"http://[::1]:{server.port}/"))
        self.assertEqual(len(server.requests), 1)

    async def test_https_wants_a_certificate_of_the_right_name_from_somebody_trusted(self) -> None:
        authority = Authority(temporary(self))
        issued = authority.issue("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        server = Asked(self, context=context)
        trust = trustRootFromCertificates([Certificate.loadPEM(authority.certificate.read_bytes())])
        await self.login(checker=self.make(f"https://localhost:{server.port}/", trust=trust))
        await self.refused(Unavailable, checker=self.make(f"https://127.0.0.1:{server.port}/", trust=trust))
        await self.refused(Unavailable, checker=self.make(f"https://localhost:{server.port}/"))
        self.assertEqual(len(server.requests), 1)
