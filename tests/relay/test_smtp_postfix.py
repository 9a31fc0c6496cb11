"""The courier and a real Postfix in the place of SES's SMTP endpoint: TLS, logins, and no message that becomes two."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.smtp import SmtpCourier
from sesmail.relay.smtpsession import SmtpSettings
from tests.servers import postfix
from tests.servers.certificates import Authority

_HEAD = b"From: jack@example.com\r\nSubject: one\r\n\r\n"
_A = "a@example.org"
# What a message that was split would send on its own.
_SMUGGLED = (
    b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nFrom: evil@example.net\r\n\r\nsmuggled\r\n"
)
_PIECE = 65536


@pytest.fixture(scope="module")
def running() -> Iterator[postfix.Postfix]:
    with postfix.running() as server:
        yield server


@pytest.fixture
def server(running: postfix.Postfix) -> postfix.Postfix:
    running.sink.clear()
    return running


def settings(server: postfix.Postfix, tls: str = "starttls", **changes: Any) -> SmtpSettings:
    port = {"starttls": server.starttls, "implicit": server.implicit, "none": server.starttls}[tls]
    given = SmtpSettings("localhost", port, tls, postfix.USERNAME, postfix.PASSWORD, str(server.ca_file), "us.example", 10, 60)
    return replace(given, **changes)


def send(settings: SmtpSettings, *recipients: str, data: bytes = _HEAD + b"hello\r\n") -> Mapping[str, Outcome]:
    courier = SmtpCourier(settings)
    try:
        return courier.send(Envelope("jack@example.com", recipients or (_A,)), io.BytesIO(data))
    finally:
        courier.close()


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def as_sent(kept: bytes) -> bytes:
    """The message without the Received field of Postfix."""
    return re.sub(rb"\AReceived: [^\n]*\n(?:[ \t][^\n]*\n)*", b"", kept)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_it_arrives_octet_for_octet_with_the_id_of_the_server(server: postfix.Postfix, tls: str) -> None:
    data = _HEAD + b".\r\n..\r\n.dots\r\n\xff\xe4 8 bits\r\n\r\nend\r\n"
    outcomes = send(settings(server, tls), _A, "b@example.net", data=data)
    (kept,) = server.sink.wait_for(1)
    assert as_sent(kept.data) == data
    assert (kept.sender, set(kept.recipients)) == ("jack@example.com", {_A, "b@example.net"})
    assert {outcome.id for outcome in outcomes.values()} & set(re.findall(r"\b[0-9A-F]{9,}\b", server.log.read_text()))


def test_every_recipient_hears_his_own_answer(server: postfix.Postfix) -> None:
    outcomes = send(settings(server), _A, postfix.REFUSED, postfix.FULL)
    assert replies(outcomes) == {_A: "250 2.0.0", postfix.REFUSED: "550 5.1.1", postfix.FULL: "452 4.2.2"}
    (kept,) = server.sink.wait_for(1)
    assert kept.recipients == (_A,)


def test_content_that_is_refused_is_refused_for_each(server: postfix.Postfix) -> None:
    outcomes = send(settings(server), _A, "b@example.net", data=postfix.UNWANTED + _HEAD)
    assert set(replies(outcomes).values()) == {"550 5.7.1"}


def test_what_is_too_large_is_not_even_sent(server: postfix.Postfix) -> None:
    assert replies(send(settings(server), data=_HEAD + b"x\r\n" * (postfix.LARGEST // 3))) == {_A: "552 5.3.4"}


def test_a_wrong_password_is_our_fault_and_bounces_nothing(server: postfix.Postfix) -> None:
    got = send(settings(server, password="wrong"))[_A]
    assert (got.code, got.status) == (451, "4.7.8")
    assert "535" in (got.alarm or "")


def test_without_a_login_nothing_bounces(server: postfix.Postfix) -> None:
    got = send(settings(server, username=None))[_A]
    assert got.code == 451
    assert "Relay access denied" in (got.alarm or "")


def test_nothing_is_said_to_a_server_whose_certificate_nobody_vouches_for(server: postfix.Postfix, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).certificate
    for tls, trusted in itertools.product(("starttls", "implicit"), (str(stranger), None)):
        got = send(settings(server, tls, ca_file=trusted))[_A]
        assert (got.code, got.status) == (451, "4.7.5")
        assert got.alarm
    assert server.sink.kept == []


def test_nothing_is_said_to_a_server_of_another_name(server: postfix.Postfix) -> None:
    for tls in ("starttls", "implicit"):
        got = send(settings(server, tls, host="127.0.0.1"))[_A]
        assert (got.code, got.status) == (451, "4.7.5")
        assert "127.0.0.1" in (got.alarm or "")


def test_without_tls_a_server_that_wants_it_is_told_no_password(server: postfix.Postfix) -> None:
    got = send(settings(server, "none"))[_A]
    assert (got.code, bool(got.alarm)) == (451, True)


def test_many_threads_share_conversations(server: postfix.Postfix) -> None:
    courier = SmtpCourier(settings(server))
    with ThreadPoolExecutor(6) as pool:
        envelopes = [Envelope("jack@example.com", (f"{number}@example.org",)) for number in range(30)]
        outcomes = list(pool.map(lambda envelope: courier.send(envelope, io.BytesIO(_HEAD)), envelopes))
    courier.close()
    assert {outcome.code for found in outcomes for outcome in found.values()} == {250}
    kept = server.sink.wait_for(30)
    assert sorted(message.recipients[0] for message in kept) == sorted(envelope.recipients[0] for envelope in envelopes)


def _ends() -> Iterator[bytes]:
    """Everything that some server takes for the end of the data, each followed by commands."""
    for before, after in itertools.product((b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r"), repeat=2):
        yield b"text" + before + b"." + after + _SMUGGLED
    yield b"text\r\n.\0\r\n" + _SMUGGLED
    yield b"text\r\n\0.\r\n" + _SMUGGLED


def normal(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def test_no_message_becomes_two_whatever_its_line_ends_are(server: postfix.Postfix) -> None:
    courier = SmtpCourier(settings(server))
    bodies = list(_ends())
    for number, body in enumerate(bodies):
        outcomes = courier.send(Envelope("jack@example.com", (f"{number}@example.org",)), io.BytesIO(_HEAD + body))
        assert set(replies(outcomes).values()) == {"250 2.0.0"}
    courier.close()
    assert_each_arrived_once(server, {f"{number}@example.org": body for number, body in enumerate(bodies)})


@pytest.mark.parametrize("newline", [b"\r\n", b"\n", b"\r"])
def test_dots_where_pieces_meet_split_nothing(server: postfix.Postfix, newline: bytes) -> None:
    courier = SmtpCourier(settings(server))
    bodies = {}
    for shift in range(-6, 3):
        # The line with the dot begins here, counted from where one piece ends and the next begins.
        lead = _PIECE + shift - len(_HEAD)
        lines = (b"x" * 70 + newline) * (lead // (70 + len(newline)) - 1)
        fill = b"y" * (lead - len(lines) - len(newline)) + newline
        bodies[f"{newline.hex()}{shift + 6}@example.org"] = (
            lines + fill + b"." + newline + normal(_SMUGGLED).replace(b"\r\n", newline)
        )
    for address, body in bodies.items():
        assert (_HEAD + body).index(newline + b"." + newline) + len(newline) in range(_PIECE - 6, _PIECE + 3)
        assert replies(courier.send(Envelope("jack@example.com", (address,)), io.BytesIO(_HEAD + body))) == {
            address: "250 2.0.0"
        }
    courier.close()
    assert_each_arrived_once(server, bodies)


def assert_each_arrived_once(server: postfix.Postfix, bodies: Mapping[str, bytes]) -> None:
    kept = server.sink.wait_for(len(bodies))
    arrived = {message.recipients: as_sent(message.data).removeprefix(_HEAD) for message in kept}
    assert len(kept) == len(bodies)
    for address, body in bodies.items():
        # Postfix itself gives up NUL, as RFC 5322 does.
        assert arrived[(address,)].replace(b"\0", b"") == normal(body).replace(b"\0", b"")
    assert all(message.sender == "jack@example.com" for message in kept)
