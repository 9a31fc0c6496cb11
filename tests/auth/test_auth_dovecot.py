"""The checker that asks Dovecot's auth service: a real one, and one that misbehaves."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint, clientFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sesmail.auth import dovecot
from sesmail.auth.dovecot import DovecotChecker, _unescaped
from sesmail.auth.names import Names, UnknownUser
from sesmail.errors import BadLogin, Unavailable
from sesmail.interfaces import Account, Place, StorePlace
from tests.servers.dovecot import Dovecot, running

reactor: Any = _reactor
STORE = StorePlace("s3://bucket")
USERS = """\
tom@example.com:{PLAIN}secret
ann@example.com:{PLAIN}s\u00e9cret with: colons::::::
bare:{PLAIN}secret
away@example.com:{PLAIN}secret::::::nologin
master@example.com:{PLAIN}secret::::::user=tom@example.com
"""


def place_of(local: str, domain: str) -> Place:
    return Place(STORE, f"{domain}/{local}/")


class Case(TestCase):
    def make(self, where: str, names: Names | None = None, timeout: float = 10.0) -> DovecotChecker:
        names = names or Names(frozenset({"example.com"}))
        checker = DovecotChecker(clientFromString(reactor, where), names, place_of, reactor, timeout=timeout)
        self.addCleanup(self.closed, checker)
        return checker

    async def closed(self, checker: DovecotChecker) -> None:
        checker.close()
        await deferLater(reactor, 0.01)

    def login(self, checker: DovecotChecker, name: bytes, password: bytes = b"secret") -> Deferred[Account]:
        return checker.requestAvatarId(UsernamePassword(name, password))

    async def refused(
        self, kind: type[Exception], checker: DovecotChecker, name: bytes, password: bytes = b"secret"
    ) -> Exception:
        try:
            account = await self.login(checker, name, password)
        except kind as error:
            return error
        raise AssertionError(account)


class DovecotTest(Case):
    """One Dovecot for all tests: starting one takes a while."""

    stack: ExitStack
    dovecot: Dovecot

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = ExitStack()
        cls.dovecot = cls.stack.enter_context(running(USERS))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stack.close()

    def setUp(self) -> None:
        self.checker = self.make(f"unix:{self.dovecot.socket}")

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)

    async def test_whom_dovecot_lets_in_is_in_with_his_mail_where_the_template_says(self) -> None:
        account = await self.login(self.checker, b"TOM@Example.com")
        self.assertEqual(account, Account("tom@example.com", "tom@example.com", Place(STORE, "example.com/tom/")))

    async def test_a_password_is_sent_as_it_was_typed(self) -> None:
        await self.login(self.checker, b"ann@example.com", "s\u00e9cret with".encode())

    async def test_over_tcp_too(self) -> None:
        await self.login(self.make(f"tcp:127.0.0.1:{self.dovecot.port}"), b"tom@example.com")

    async def test_a_wrong_password_and_an_unknown_user_are_refused_alike(self) -> None:
        for name in (b"tom@example.com", b"nobody@example.com"):
            error = await self.refused(BadLogin, self.checker, name, b"wrong")
            self.assertNotIsInstance(error, UnknownUser)

    async def test_dovecot_says_what_the_user_is_called(self) -> None:
        self.assertEqual((await self.login(self.checker, b"master@example.com")).name, "tom@example.com")

    async def test_whom_dovecot_keeps_out_stays_out(self) -> None:
        await self.refused(BadLogin, self.checker, b"away@example.com")

    async def test_a_name_without_a_domain_has_no_address(self) -> None:
        account = await self.login(self.checker, b"bare")
        self.assertEqual((account.name, account.address), ("bare", None))

    async def test_a_name_that_is_not_served_is_not_asked(self) -> None:
        for name in (b"tom@other.example", b"../x", b"", b"a\0b", b"tom@example.com\0", b"\xff"):
            await self.refused(UnknownUser, self.checker, name)
        self.assertIsNone(self.checker._connection)

    async def test_a_password_cannot_say_more_than_a_password(self) -> None:
        for password in (b"x\0secret", b"\0", b"x\0tom@example.com\0secret", b"x" * 10_000):
            await self.refused(BadLogin, self.checker, b"tom@example.com", password)
        await self.login(self.checker, b"tom@example.com")

    async def test_passwords_of_all_octets_and_of_some_length_are_only_wrong(self) -> None:
        for password in (bytes(range(1, 256)), b"\t\n\r\1", b"x" * 5000):
            await self.refused(BadLogin, self.checker, b"tom@example.com", password)

    async def test_many_at_once_get_each_his_own_answer_over_one_connection(self) -> None:
        good = [self.login(self.checker, b"tom@example.com") for _ in range(20)]
        bad = [Deferred.fromCoroutine(self.refused(BadLogin, self.checker, b"ann@example.com")) for _ in range(20)]
        accounts = await gatherResults(good)
        await gatherResults(bad)
        self.assertEqual({account.name for account in accounts}, {"tom@example.com"})
        self.assertEqual(self.checker._connection and self.checker._connection._number, 40)


class RestartTest(Case):
    async def test_a_dovecot_that_was_restarted_is_found_again_and_one_that_is_gone_is_trouble(self) -> None:
        with running(USERS) as server:
            checker = self.make(f"unix:{server.socket}")
            await self.login(checker, b"tom@example.com")
            server.stop()
            checker.close()
            await deferLater(reactor, 0.05)
            await self.refused(Unavailable, checker, b"tom@example.com")
            server.start()
            await self.login(checker, b"tom@example.com")

    async def test_refused_logins_do_not_make_others_wait(self) -> None:
        with running(USERS) as server:
            checker = self.make(f"unix:{server.socket}")
            for number in range(10):
                await self.refused(BadLogin, checker, b"user%d@example.com" % number)
            began = time.monotonic()
            await self.login(checker, b"tom@example.com")
            self.assertLess(time.monotonic() - began, 1)

    async def test_a_user_database_that_fails_is_trouble_and_no_wrong_password(self) -> None:
        with running(USERS, failing=True) as server:
            checker = self.make(f"unix:{server.socket}")
            await self.refused(Unavailable, checker, b"nobody@example.com")
            await self.login(checker, b"tom@example.com")

    async def test_a_dovecot_without_plain_is_trouble(self) -> None:
        with running(USERS, mechanisms="cram-md5") as server:
            await self.refused(Unavailable, self.make(f"unix:{server.socket}"), b"tom@example.com")

    async def test_a_socket_that_is_not_there_is_trouble(self) -> None:
        await self.refused(Unavailable, self.make("unix:/nowhere/auth-client"), b"tom@example.com")


HELLO = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n"


class Odd(Protocol):
    """An auth service that says what the test tells it to."""

    factory: Any
    transport: Any

    def connectionLost(self, reason: Any = None) -> None:
        self.over.callback(None)

    def connectionMade(self) -> None:
        self.over: Deferred[None] = Deferred()
        self.factory.connections.append(self)
        self.transport.write(self.factory.hello)

    def dataReceived(self, data: bytes) -> None:
        for line in data.split(b"\n"):
            if line.startswith(b"AUTH\t"):
                self.factory.asked.append(line)
                self.transport.write(self.factory.answer.replace(b"ID", line.split(b"\t")[1]))


class OddTest(Case):
    async def setUp(self) -> None:  # type: ignore[override]
        factory: Any = Factory.forProtocol(Odd)
        factory.noisy = False
        self.factory = factory
        self.factory.connections, self.factory.asked = [], []
        self.factory.hello, self.factory.answer = HELLO, b"OK\tID\tuser=tom@example.com\n"
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self.factory)
        self.addCleanup(port.stopListening)
        self.where = f"tcp:127.0.0.1:{port.getHost().port}"

    async def answered(self, answer: bytes, kind: type[Exception] | None) -> None:
        self.factory.answer = answer
        checker = self.make(self.where, timeout=0.4)
        if kind is None:
            await self.login(checker, b"tom@example.com")
        else:
            await self.refused(kind, checker, b"tom@example.com")

    async def test_answers_are_understood(self) -> None:
        await self.answered(b"OK\tID\tuser=tom@example.com\tnew=thing\n", None)
        await self.answered(b"SOMETHING\tnew\nOK\t99\tuser=eve@example.com\nOK\tID\n", None)
        await self.answered(b"FAIL\tID\tuser=tom@example.com\n", BadLogin)
        await self.answered(b"FAIL\tID\tuser=tom@example.com\ttemp\n", Unavailable)
        await self.answered(b"FAIL\tID\tcode=temp_fail\n", Unavailable)
        await self.answered(b"CONT\tID\t\n", BadLogin)
        await self.answered(b"OK\tID\tuser=tom@example.com\tproxy\thost=x\n", BadLogin)
        await self.answered(b"OK\tID\tuser=../etc\n", UnknownUser)

    async def test_no_answer_is_trouble_in_time(self) -> None:
        began = time.monotonic()
        await self.answered(b"", Unavailable)
        self.assertLess(time.monotonic() - began, 3)

    async def test_a_silent_connection_is_not_trusted_again(self) -> None:
        checker = self.make(self.where, timeout=0.3)
        await self.login(checker, b"tom@example.com")
        self.factory.answer = b""
        await self.refused(Unavailable, checker, b"tom@example.com")
        self.factory.answer = b"OK\tID\n"
        await self.login(checker, b"tom@example.com")
        self.assertEqual(len(self.factory.connections), 2)

    async def test_a_greeting_that_does_not_come_or_is_another_s_is_trouble(self) -> None:
        for hello in (b"", b"VERSION\t2\t0\n" + HELLO, b"* OK IMAP ready\n", b"x" * 100_000, b"\xff\n"):
            self.factory.hello = hello
            await self.answered(b"OK\tID\n", Unavailable)

    async def test_an_answer_without_an_end_is_trouble_and_bounded(self) -> None:
        await self.answered(b"OK\tID\t" + b"x" * 200_000, Unavailable)

    async def test_those_who_wait_for_a_connection_share_it(self) -> None:
        checker = self.make(self.where)
        await gatherResults([self.login(checker, b"tom@example.com") for _ in range(10)])
        self.assertEqual(len(self.factory.connections), 1)

    async def test_more_logins_than_may_wait_are_trouble(self) -> None:
        self.patch(dovecot, "PENDING", 3)
        checker = self.make(self.where)
        await self.login(checker, b"tom@example.com")
        self.factory.answer = b""
        waiting = [Deferred.fromCoroutine(self.refused(Unavailable, checker, b"tom@example.com")) for _ in range(3)]
        await self.refused(Unavailable, checker, b"tom@example.com")
        checker.close()
        await gatherResults(waiting)

    async def test_a_connection_that_breaks_is_trouble_for_all_that_wait(self) -> None:
        checker = self.make(self.where)
        await self.login(checker, b"tom@example.com")
        self.factory.answer = b""
        waiting = [Deferred.fromCoroutine(self.refused(Unavailable, checker, b"tom@example.com")) for _ in range(3)]
        await deferLater(reactor, 0.05)
        self.factory.connections[0].transport.loseConnection()
        await gatherResults(waiting)

    async def test_a_connection_is_not_used_for_ever_and_ends_when_nobody_waits(self) -> None:
        checker = self.make(self.where)
        await self.login(checker, b"tom@example.com")
        self.factory.answer = b""
        waiting = self.login(checker, b"tom@example.com")
        await deferLater(reactor, 0.05)
        checker._since -= dovecot.CONNECTED
        self.factory.answer = b"OK\tID\n"
        await self.login(checker, b"tom@example.com")
        first, second = self.factory.connections
        self.assertTrue(first.transport.connected and second.transport.connected)
        first.transport.write(b"OK\t2\n")
        await waiting
        await first.over

    async def test_the_password_is_nowhere_but_in_the_response(self) -> None:
        await self.login(self.make(self.where), b"tom@example.com", b"s3cret")
        (asked,) = self.factory.asked
        self.assertEqual(asked.rpartition(b"\t")[2], b"resp=AHRvbUBleGFtcGxlLmNvbQBzM2NyZXQ=")


class EscapesTest(TestCase):
    def test_fields_are_unescaped(self) -> None:
        for escaped, meant in {"a": "a", "a\1tb": "a\tb", "\0011\1n\1r\0010": "\1\n\r\0", "\1": "", "\1x": "x"}.items():
            self.assertEqual(_unescaped(escaped), meant)
