"""What SES wrote in front of a message is believed, what anybody could have written is a guess and called one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aws.receipt import UNCHECKED, Verdict, Verdicts
from sesmail.aws.stamp import HEADER_OCTETS, Stamp, read
from sesmail.mail.address import Address
from tests.aws.sesevents import MESSAGE_ID


def stamped(
    message: str,
    *,
    recipient: str = "tom@example.com",
    sender: str = "<bounce@else.example>",
    id: str = MESSAGE_ID,
    also: str = "",
) -> bytes:
    """A message as it lies in the bucket."""
    text = (
        f"Return-Path: {sender}\n"
        "Received: from mx.else.example (mx.else.example [192.0.2.1])\n"
        f" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {id}\n"
        f" for {recipient};\n"
        " Sat, 21 Nov 2026 09:08:07 +0000 (UTC)\n"
        "X-SES-Spam-Verdict: FAIL\n"
        "X-SES-Virus-Verdict: PASS\n"
        f"{also}"
        "Received-SPF: pass (spfCheck: domain of else.example designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1;\n"
        "Authentication-Results: amazonses.com;\n spf=pass (x) client-ip=192.0.2.1;\n dkim=pass header.i=@else.example;\n"
        f"X-SES-RECEIPT: {'QUVGQUFBQUFBQUFBR0U4' * 30}=\n"
        "X-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b=x\n"
        f"{message}"
    )
    return text.replace("\n", "\r\n").encode()


_MAIL = "From: me@else.example\nTo: Tom <tom@example.com>, jim@example.com\nCc: ann@example.com\nSubject: x\n\nbody\n"
_VERDICTS = Verdicts(spam=Verdict.FAIL, virus=Verdict.PASS)
_FORGED = (
    "X-SES-Spam-Verdict: PASS\nReturn-Path: <forged@else.example>\nReceived: from x by inbound-smtp.eu-west-1.amazonaws.com"
    f" with SMTP id {MESSAGE_ID} for victim@example.com; Sat, 21 Nov 2026 09:08:07 +0000 (UTC)\nX-SES-RECEIPT: AAAA\n"
)


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_what_ses_wrote_is_told_apart_from_what_the_message_says(ends: bytes) -> None:
    message = stamped(_MAIL).replace(b"\r\n", ends)
    assert read(message, MESSAGE_ID) == Stamp(
        ("tom@example.com",), ("jim@example.com", "ann@example.com"), "bounce@else.example", _VERDICTS
    )


def test_what_a_sender_forges_stands_below_and_is_not_believed() -> None:
    assert read(stamped(_FORGED + _MAIL), MESSAGE_ID) == read(stamped(_MAIL), MESSAGE_ID)


def test_an_object_that_ses_did_not_write_has_guesses_only() -> None:
    guess = Stamp((), ("tom@example.com", "jim@example.com", "ann@example.com"), None, UNCHECKED)
    assert read(_MAIL.encode(), MESSAGE_ID) == guess
    assert read(stamped(_MAIL, id="anotherid0000000000000000000000000000000"), MESSAGE_ID) == guess
    assert read(stamped(_MAIL).replace(b"inbound-smtp.", b"mx."), MESSAGE_ID) == guess
    assert read(stamped(_MAIL).replace(b"X-SES-RECEIPT", b"X-Other"), MESSAGE_ID) == guess


def test_fields_that_a_rule_adds_do_no_harm() -> None:
    assert read(stamped(_MAIL, also="X-Postfix-Check-2: yes\n"), MESSAGE_ID) == read(stamped(_MAIL), MESSAGE_ID)


@pytest.mark.parametrize(
    ("sender", "read_as"),
    [("<>", ""), ("<A@ELSE.example>", "A@else.example"), ("nonsense", ""), ("<jörg@else.example>", ""), ("", "")],
)
def test_the_sender_is_that_of_return_path(sender: str, read_as: str) -> None:
    assert read(stamped(_MAIL, sender=sender), MESSAGE_ID).sender == read_as


@pytest.mark.parametrize(
    ("recipient", "read_as", "sender"),
    [
        ("<tom@example.com>", ("tom@example.com",), "bounce@else.example"),
        ("Tom@EXAMPLE.com", ("Tom@example.com",), "bounce@else.example"),
        ("tom", (), "bounce@else.example"),
        ("a@x.example b@x.example", (), None),
        ("a@x.example; for b@x.example", (), None),
    ],
)
def test_ses_names_one_recipient_or_none_that_can_be_read(recipient: str, read_as: tuple[str, ...], sender: str | None) -> None:
    found = read(stamped("Subject: x\n\n", recipient=recipient), MESSAGE_ID)
    assert (found.recipients, found.sender) == (read_as, sender)
    assert found.guessed == ()


def test_a_client_that_calls_itself_a_whole_received_field_names_nobody() -> None:
    lie = f"by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {MESSAGE_ID} for victim@example.com; x"
    message = stamped(_MAIL).replace(b"from mx.else.example", f"from {lie}".encode())
    assert read(message, MESSAGE_ID).recipients == ("tom@example.com",)


@pytest.mark.parametrize(
    ("fields", "guessed"),
    [
        ("To: a@x.example\nTo: b@x.example\nCc: a@x.example\n", ("a@x.example", "b@x.example")),
        ("To: We: a@x.example, b@x.example;\n", ("a@x.example", "b@x.example")),
        ("To: undisclosed-recipients:;\n", ()),
        ("To: a@x.example\nCc: <<nonsense>\n", ("a@x.example",)),
        ("to:\n =?utf-8?Q?J=C3=B6rg?=\n <a@x.example>\n", ("a@x.example",)),
        ("Bcc: a@x.example\nX-To: b@x.example\n", ()),
        ("To: a@x.example\nSubject: \0\n", ()),
        ("To: " + ", ".join(f"a{number}@x.example" for number in range(2000)) + "\n", ()),
        ("Subject: x\n\nTo: a@x.example\n", ()),
        ("no header at all\nTo: a@x.example\n", ()),
    ],
)
def test_guesses_are_the_addresses_of_to_and_cc(fields: str, guessed: tuple[str, ...]) -> None:
    assert read(f"{fields}\nbody\n".encode(), MESSAGE_ID) == Stamp((), guessed)


def test_what_the_sender_wrote_cannot_take_away_what_ses_wrote() -> None:
    found = read(stamped("no field\n\0\r\n\n"), MESSAGE_ID)
    assert (found.recipients, found.sender, found.guessed) == (("tom@example.com",), "bounce@else.example", ())


def test_only_the_beginning_is_looked_at() -> None:
    filler = f"X-Filler: {'x' * 900}\n" * (HEADER_OCTETS // 900)
    found = read(stamped(filler + _MAIL), MESSAGE_ID)
    assert (found.recipients, found.guessed) == (("tom@example.com",), ())
    assert read(b"To: tom@example.com", MESSAGE_ID) == Stamp()


@given(st.binary(max_size=400), st.integers(0, 900), st.binary(max_size=20))
def test_no_octets_at_all_end_in_an_error(octets: bytes, at: int, put: bytes) -> None:
    message = stamped(_MAIL)
    for head in (octets, message[:at] + put + message[at:], message[:at]):
        found = read(head, MESSAGE_ID)
        assert all(address == str(Address.parse(address)) for address in (*found.recipients, *found.guessed))
