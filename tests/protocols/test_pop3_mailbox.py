"""Our mailbox as Twisted's interface has it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.mail import pop3
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from sesmail.errors import Unavailable
from sesmail.protocols.pop3.mailbox import PopMailbox
from tests.protocols.memory import MemoryMaildrop, MemoryPost
from tests.protocols.spoken import MemoryTransport


def test_the_mailbox_is_one_for_twisted() -> None:
    assert verifyObject(pop3.IMailbox, PopMailbox(MemoryMaildrop([])))


def test_an_empty_mailbox_is_true() -> None:
    assert PopMailbox(MemoryMaildrop([]))


def test_twisted_s_own_server_serves_the_mailbox() -> None:
    post = MemoryPost(b"A: b\r\n\r\nbody\r\n", b"bare\nlf")
    post.maildrop.piece = 1
    mailbox = PopMailbox(post.maildrop)
    server: Any = pop3.POP3()
    server.mbox = mailbox
    server.schedule = lambda lines: [None for _ in lines] and Deferred()
    transport = MemoryTransport()
    server.transport = transport
    for command in (b"RETR 1", b"RETR 2"):
        transport.clear()
        server.blocked = None
        server.lineReceived(command)
        while transport.producer is not None:
            transport.producer.resumeProducing()
        assert transport.value().endswith(b"\r\n.\r\n")
        assert b"\r\r\n" not in transport.value()
    server.setTimeout(None)


def test_the_mailbox_says_to_twisted_what_it_expects() -> None:
    maildrop = MemoryMaildrop([b"a\r\n", b"bb\r\n"])
    mailbox = PopMailbox(maildrop)
    mailbox.deleteMessage(0)
    assert mailbox.listMessages() == [0, 4]
    assert mailbox.listMessages(0) == 0
    assert mailbox.getUidl(0) == b"id1"
    for index in (-1, 2):
        for ask in (mailbox.listMessages, mailbox.getMessage, mailbox.getUidl, mailbox.deleteMessage):
            with pytest.raises(ValueError, match="no such message"):
                ask(index)
    with pytest.raises(ValueError, match="message is deleted"):
        mailbox.deleteMessage(0)
    mailbox.undeleteMessages()
    mailbox.deleteMessage(1)
    done: list[Any] = []
    mailbox.sync().addCallback(done.append)
    assert (maildrop.removed, done) == ([1], [None])


def test_sync_fails_when_messages_remain() -> None:
    mailbox = PopMailbox(MemoryMaildrop([b"a\r\n"], stuck={0}))
    mailbox.deleteMessage(0)
    failed: list[Failure] = []
    mailbox.sync().addErrback(failed.append)
    assert failed[0].check(Unavailable)
