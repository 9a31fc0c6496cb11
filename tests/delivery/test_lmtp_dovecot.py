"""A real Dovecot takes mail by LMTP: the same octets, an answer for each recipient, over both kinds of sockets."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.mail.outcome import Verdict
from tests.servers.dovecot import Dovecot, running

_USERS = "bob:{PLAIN}secret::::::\neve:{PLAIN}secret::::::\n"
_ODD = b"".join(
    [
        b"From: jack@example.com\r\nSubject: odd\r\nX-Long: " + b"a " * 400 + b"\r\n\r\n",
        b".\r\n..\r\nFrom here\r\n\xff\x80 8-bit\r\n",
        b"x" * 200_000 + b"\r\n.\r\n.end\r\n",
    ]
)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running(_USERS, receiving=True) as server:
        yield server


def settings(dovecot: Dovecot, host: str) -> LmtpSettings:
    return LmtpSettings("127.0.0.1" if host == "tcp" else str(dovecot.lmtp_socket), dovecot.lmtp_port, timeout=20)


@pytest.mark.parametrize("host", ["tcp", "unix"])
def test_dovecot_has_the_same_octets_for_everybody_it_knows(dovecot: Dovecot, host: str) -> None:
    one = LmtpClient(settings(dovecot, host))
    data = _ODD + host.encode() + b"\r\n"
    outcomes = one.deliver("jack@example.com", ["bob", "nobody", "eve+tag@example.com"], io.BytesIO(data))
    assert {user: outcome.verdict for user, outcome in outcomes.items()} == {
        "bob": Verdict.ACCEPTED,
        "nobody": Verdict.REFUSED,
        "eve+tag@example.com": Verdict.ACCEPTED,
    }
    assert outcomes["nobody"].reply.startswith("550 5.1.1 ")
    one.close()
    for user in ("bob", "eve"):
        # Dovecot keeps mail with bare LF.
        (stored,) = [mail for mail in dovecot.mail(user) if mail.endswith(host.encode() + b"\n")]
        assert stored.startswith(b"Return-Path: <jack@example.com>\n")
        assert stored.replace(b"\n", b"\r\n").endswith(data)


def test_one_conversation_with_dovecot_carries_many_messages(dovecot: Dovecot) -> None:
    one = LmtpClient(settings(dovecot, "unix"))
    before = len(dovecot.mail("bob"))
    for number in range(20):
        outcomes = one.deliver("", ["bob", "eve"], io.BytesIO(b"Subject: %d\r\n\r\n" % number))
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
    one.close()
    assert len(dovecot.mail("bob")) == before + 20


def test_a_dovecot_that_starts_again_is_found_again(dovecot: Dovecot) -> None:
    one = LmtpClient(settings(dovecot, "tcp"))
    assert one.deliver("", ["bob"], io.BytesIO(_ODD))["bob"].verdict is Verdict.ACCEPTED
    dovecot.stop()
    assert one.deliver("", ["bob"], io.BytesIO(_ODD))["bob"].verdict is Verdict.LATER
    dovecot.start()
    assert one.deliver("", ["bob"], io.BytesIO(_ODD))["bob"].verdict is Verdict.ACCEPTED
    one.close()
