"""Reports, read back by the standard library's parser: RFC 3464 to the letter, whatever the next hop or the message says."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.mail.dsn import HEADER_OCTETS, report
from sesmail.mail.envelope import Envelope
from sesmail.mail.headers import end_of_header, fields
from sesmail.mail.outcome import Outcome

HEAD = b"Received: from x\r\nFrom: joe@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: lunch\r\n\r\nSecret text\r\n"
NOBODY = Outcome(550, "5.1.1", "no such user")
EXPIRED = Outcome(451, "4.4.1", "no answer for two days")
ENVELOPE = Envelope("joe@example.com", ("ann@example.org", "bob@example.net"), returns="joe@example.com")


def made(failures: dict[str, Outcome], head: bytes = HEAD, envelope: Envelope = ENVELOPE) -> bytes:
    return report(
        envelope,
        failures,
        head,
        reporting_mta="mail.example.com",
        now=1700000600.5,
        boundary="=_4f1e",
        message_id="<2@mail.example.com>",
        arrived=1700000000,
    )


def parts(octets: bytes) -> tuple[EmailMessage, str, list[Message], str]:
    """The report, its words, the blocks of its status, and the header it returns."""
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert message.get_content_type() == "multipart/report"
    assert not message.defects
    words, status, returned = message.iter_parts()
    assert [part.get_content_type() for part in (words, status, returned)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    return (
        message,
        words.get_content(),
        [block for block in blocks if isinstance(block, Message) and block.keys()],
        returned.get_content(),
    )


def is_plain(octets: bytes) -> bool:
    lines = octets.split(b"\r\n")
    return octets.isascii() and all(len(line) <= 998 and not {10, 13, 0} & set(line) for line in lines) and lines[-1] == b""


def test_a_report_goes_to_the_sender_and_says_what_it_is() -> None:
    message, *_ = parts(made({"ann@example.org": NOBODY}))
    assert message["To"] == "joe@example.com"
    assert message["From"].addresses[0].addr_spec == "MAILER-DAEMON@mail.example.com"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<2@mail.example.com>"
    assert message["References"] == "<1@example.com>"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["Date"].datetime.timestamp() == 1700000600


def test_each_recipient_has_a_block_of_its_own() -> None:
    octets = made({"ann@example.org": NOBODY, "bob@example.net": EXPIRED})
    _, words, (whole, ann, bob), _ = parts(octets)
    assert whole["Reporting-MTA"] == "dns; mail.example.com"
    assert parsedate_to_datetime(whole["Arrival-Date"]).timestamp() == 1700000000
    assert dict(ann.items()) == {
        "Final-Recipient": "rfc822; ann@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Tue, 14 Nov 2023 22:23:20 +0000",
    }
    assert (bob["Final-Recipient"], bob["Status"]) == ("rfc822; bob@example.net", "4.4.1")
    for told in ("ann@example.org", "550 5.1.1 no such user", "bob@example.net", "no answer for two days", "mail.example.com"):
        assert told in words
    assert is_plain(octets)


def test_the_header_comes_back_and_the_body_does_not() -> None:
    octets = made({"ann@example.org": NOBODY})
    *_, returned = parts(octets)
    assert returned.encode().rstrip() == HEAD[: HEAD.index(b"\r\n\r\n")]
    assert b"Secret" not in octets


@pytest.mark.parametrize(
    "text",
    [
        "x\r\nAction: delivered", "x\r\n\r\nFinal-Recipient: rfc822; boss@example.com", "x\r\n--=_4f1e--\r\n", "\0\x85\u2028Action: delivered",
        "ä" * 1000, "y" * 100_000, "--=_4f1e", "",
    ],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_what_the_next_hop_says_cannot_add_to_a_report(text: str) -> None:
    octets = made({"ann@example.org": Outcome(550, "5.0.0", text)})
    _, _, (_, ann), _ = parts(octets)
    assert ann.keys() == ["Final-Recipient", "Action", "Status", "Diagnostic-Code", "Last-Attempt-Date"]
    assert ann["Action"] == "failed"
    assert is_plain(octets)
    assert len(octets) < 3000


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\r\n", b"body only\r\n", b"body only", b"\r\nbody\r\n", b"Subject: J\xf6rg \xf0\x9f\x90\xb1\0\r\n\r\n", b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"X: y\r\n" * 20_000, b"--=_4f1e--: x\r\n--=_4f1e: y\r\n\r\n", b"A: b\r\n \r\n\tc\r\n\r\n", b"cut: in the midd", b"Message-ID: <a>\r\n b\r\n\r\n",
        b"Message-ID: <x\ry>\r\n\r\n", b"Message-ID: " + b"<" + b"x" * 900 + b">\r\n\r\n", b"Message-ID: \xff\r\n\r\n", b"no field\r\nX: y", b"X: y\r\nno field",
        b"X: y\r\n" * 2800 + b"Y: " + b"y" * 5000 + b"\r\n\r\n", b"\r" * 100, b"\n" * 100, b"a: \n--=_4f1e\nb: c\r\n\r\n",
    ],
    ids=lambda head: repr(head[:20]),
)  # fmt: skip
def test_no_header_that_comes_back_breaks_a_report(head: bytes) -> None:
    octets = made({"ann@example.org": NOBODY}, head)
    _, _, (_, ann), _ = parts(octets)
    assert ann["Final-Recipient"] == "rfc822; ann@example.org"
    assert is_plain(octets)
    assert len(octets) < HEADER_OCTETS * 1.2 + 3000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([b"a: b", b"\r\n", b"\r", b"\n", b"--=_4f1e", b"--", b" ", b"\xff", b"x" * 1000, b":"])).map(
        b"".join
    ),
    st.text(),
)
def test_no_octets_at_all_break_a_report(head: bytes, text: str) -> None:
    octets = made({"ann@example.org": Outcome(550, "5.0.0", text)}, head)
    _, _, (_, ann), _ = parts(octets)
    assert ann["Action"] == "failed"
    assert is_plain(octets)


def test_a_report_is_mail_that_our_own_reader_takes() -> None:
    octets = made({"ann@example.org": NOBODY})
    assert [found.name for found in fields(octets[: end_of_header(octets)])][:2] == [b"date", b"from"]


def test_nothing_is_returned_to_nobody() -> None:
    for returns_nothing in (Envelope("", ("ann@example.org",)), Envelope("joe@example.com", ("ann@example.org",))):
        with pytest.raises(ValueError, match="nothing is to be returned"):
            made({"ann@example.org": NOBODY}, envelope=returns_nothing)
    with pytest.raises(ValueError, match="nothing is to be returned"):
        made({})
