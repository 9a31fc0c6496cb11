"""What is wrong with Twisted's own POP3 server, found again in it and not in ours.

Each finding is looked for in both. If one is no longer found in Twisted's class, Twisted has changed there, and what our class
overrides should be looked at again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from hashlib import md5
from typing import Any

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock, Cooperator
from twisted.mail import pop3
from zope.interface import Interface, implementer

from sesmail.errors import Unavailable
from tests.protocols.memory import MemoryPost
from tests.protocols.spoken import LOGIN, MemoryTransport, Spoken


class Ours:
    """Our class over a maildrop in memory."""

    def __init__(self, *messages: bytes) -> None:
        self.post = MemoryPost(*messages)
        self.spoken = Spoken(self.post)
        self.transport = self.spoken.transport
        self.greeting = self.transport.value()
        self.say, self.lose, self.clock = self.spoken.say, self.spoken.lose, self.spoken.clock

    def unable_to_read(self) -> None:
        self.post.maildrop.failures[0] = Unavailable()

    def unable_to_name(self) -> None:
        def uidl(index: int) -> bytes:
            raise RuntimeError

        self.post.maildrop.uidl = uidl  # type: ignore[method-assign]

    def slow_to_remove(self) -> None:
        removal: Deferred[None] = Deferred()

        async def wait() -> None:
            await removal

        self.post.maildrop.before_remove = wait

    def peer_stops_reading(self) -> None:
        self.transport.producer.pauseProducing()

    @property
    def removed(self) -> list[int]:
        return self.post.maildrop.removed


class RawMailbox(pop3.Mailbox):
    """What somebody would write who has read Twisted's documentation: stored messages, given as they are."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = list(messages)
        self.asked: list[int] = []
        self.removed: list[int] = []
        self.removal: Deferred[Any] | None = None
        self.unable_to_read = self.unable_to_name = False

    def listMessages(self, i: int | None = None) -> Any:
        return [len(message) for message in self.messages] if i is None else len(self.messages[i])

    def getMessage(self, i: int) -> Any:
        if self.unable_to_read:
            raise OSError
        return io.BytesIO(self.messages[i])

    def getUidl(self, i: int) -> bytes:
        if self.unable_to_name:
            raise OSError
        return b"id%d" % i

    def deleteMessage(self, i: int) -> None:
        self.asked.append(i)

    def undeleteMessages(self) -> None:
        self.asked.clear()

    def sync(self) -> Any:
        self.removed += self.asked
        return self.removal


@implementer(IRealm)
class StockRealm:
    def __init__(self, mailbox: RawMailbox) -> None:
        self.mailbox = mailbox

    def requestAvatar(self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]) -> Any:
        return pop3.IMailbox, self.mailbox, lambda: None


class Stock:
    """Twisted's class over such a mailbox."""

    def __init__(self, *messages: bytes) -> None:
        self.mailbox = RawMailbox(messages)
        checker = InMemoryUsernamePasswordDatabaseDontUse(**{"joe@example.com": b"secret"})
        self.clock = Clock()
        server: Any = pop3.POP3()
        server.portal = Portal(StockRealm(self.mailbox), [checker])
        server.factory = ServerFactory()
        server.factory.noisy = False
        server.callLater = self.clock.callLater
        server.schedule = Cooperator(scheduler=lambda work: self.clock.callLater(0, work)).coiterate
        self.transport = MemoryTransport()
        self.reads = True
        server.makeConnection(self.transport)
        self.server = server
        self.greeting = self.transport.value()

    def say(self, octets: bytes) -> bytes:
        self.transport.clear()
        self.server.dataReceived(octets)
        for _ in range(20):
            self.clock.advance(0)
            while self.reads and self.transport.producer is not None:
                self.transport.producer.resumeProducing()
        return bytes(self.transport.value())

    def lose(self) -> None:
        self.transport.producer.stopProducing()
        self.server.connectionLost(None)

    def unable_to_read(self) -> None:
        self.mailbox.unable_to_read = True

    def unable_to_name(self) -> None:
        self.mailbox.unable_to_name = True

    def slow_to_remove(self) -> None:
        self.mailbox.removal = Deferred()

    def peer_stops_reading(self) -> None:
        self.reads = False

    @property
    def removed(self) -> list[int]:
        return self.mailbox.removed


Server = Ours | Stock
Make = type[Ours] | type[Stock]


def a_dot_behind_a_read_boundary_ends_the_message(make: Make) -> bool:
    """Finding 1."""
    server = make(b"x" * 16383 + b"\n" + b".\nMAIL FROM:<evil@example.com>\n")
    server.say(LOGIN)
    return b"\r\n.\r\nMAIL" in server.say(b"RETR 1\r\n")


def what_was_queued_is_obeyed_after_the_peer_died(make: Make) -> bool:
    """Finding 2."""
    server = make(b"x\n" * 100_000)
    server.say(LOGIN)
    server.peer_stops_reading()
    server.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    server.lose()
    server.clock.advance(1)
    return server.removed == [0]


def mail_in_crlf_form_gets_more_cr(make: Make) -> bool:
    """Finding 5."""
    server = make(b"A: b\r\n\r\nbody\r\n")
    server.say(LOGIN)
    return b"\r\r\n" in server.say(b"RETR 1\r\n")


def quit_is_answered_before_anything_is_removed(make: Make) -> bool:
    """Finding 6."""
    server = make(b"a\r\n")
    server.say(LOGIN + b"DELE 1\r\n")
    server.slow_to_remove()
    return b"+OK" in server.say(b"QUIT\r\n")


def a_message_that_cannot_be_read_has_no_answer(make: Make) -> bool:
    """Finding 7, first half."""
    server = make(b"a\r\n")
    server.say(LOGIN)
    server.unable_to_read()
    return b"-ERR" not in server.say(b"RETR 1\r\n")


def an_error_in_uidl_wedges_the_session(make: Make) -> bool:
    """Finding 7, second half."""
    server = make(b"a\r\n")
    server.say(LOGIN)
    server.unable_to_name()
    server.say(b"UIDL\r\n")
    return server.say(b"NOOP\r\n") == b""


def message_0_is_the_last_one(make: Make) -> bool:
    """Finding 8."""
    server = make(b"a\r\n", b"b\r\n")
    server.say(LOGIN)
    return server.say(b"DELE 0\r\n").startswith(b"+OK")


def negative_messages_are_counted_from_the_end(make: Make) -> bool:
    """Finding 8."""
    server = make(b"a\r\n", b"b\r\n")
    server.say(LOGIN)
    return server.say(b"DELE -1\r\n").startswith(b"+OK")


def an_idle_peer_is_asked_to_go_and_not_dropped(make: Make) -> bool:
    """Finding 9: a transport that is only told to lose its connection first waits for the peer to read."""
    server = make(b"a\r\n")
    server.say(LOGIN)
    server.clock.advance(600)
    return not server.transport.aborted


def a_peer_that_stops_reading_stays_for_ever(make: Make) -> bool:
    """Finding 9: no timer at all runs while a message is sent."""
    server = make(b"x\n" * 100_000)
    server.say(LOGIN)
    server.peer_stops_reading()
    server.say(b"RETR 1\r\n")
    server.clock.advance(24 * 3600)
    return not server.transport.closed


def the_greeting_promises_apop_which_never_works(make: Make) -> bool:
    """Finding 11."""
    server = make(b"a\r\n")
    banner = server.greeting.partition(b"<")[2].partition(b">")[0]
    if not banner:
        return False
    digest = md5(b"<" + banner + b">secret").hexdigest().encode()
    return server.say(b"APOP joe@example.com " + digest + b"\r\n").startswith(b"-ERR")


FINDINGS = [
    a_dot_behind_a_read_boundary_ends_the_message,
    what_was_queued_is_obeyed_after_the_peer_died,
    mail_in_crlf_form_gets_more_cr,
    quit_is_answered_before_anything_is_removed,
    a_message_that_cannot_be_read_has_no_answer,
    an_error_in_uidl_wedges_the_session,
    message_0_is_the_last_one,
    negative_messages_are_counted_from_the_end,
    an_idle_peer_is_asked_to_go_and_not_dropped,
    a_peer_that_stops_reading_stays_for_ever,
    the_greeting_promises_apop_which_never_works,
]


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.__name__)
def test_not_in_our_server(finding: Callable[[Make], bool]) -> None:
    assert not finding(Ours)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.__name__)
def test_still_in_the_stock_server(finding: Callable[[Make], bool]) -> None:
    assert finding(Stock)
