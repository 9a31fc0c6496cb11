"""Sample mail: some dozens of messages as SES and older programs leave them in a bucket. The same octets on every run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple

_FIRST = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
_TO = "Demo User <demo@example.com>"
_PEOPLE = (
    "Ada Lovelace <ada@analytical.example>",
    "Grace Hopper <grace@cobol.example>",
    "Zoë Müller <zoe@example.org>",
    "Jürgen Groß <juergen@example.net>",
    "田中さくら <sakura@example.jp>",
    "Build Robot <robot@ci.example>",
)
_TOPICS = (
    (
        "Minutes of Tuesday's meeting",
        "We agreed on the roof, not yet on its colour.\n\n- Ada asks the painter\n- Zoë brings samples\n",
    ),
    ("Re: Minutes of Tuesday's meeting", "> We agreed on the roof, not yet on its colour.\n\nGreen, please.\n"),
    ("Your order 4711 has been sent", "One lamp, two bulbs. It arrives on Thursday.\n"),
    ("Einladung zum Sommerfest: bitte bis Freitag zusagen", "Liebe Alle,\n\nwir feiern am 12. Juli. Wer bringt Süßes mit?\n"),
    ("お知らせ", "来週の会議は木曜日です。\n"),
    ("Build 1284 failed", "test_dots: expected 3 lines, got 2\n\nSee you after the fix.\n"),
)


class Sample(NamedTuple):
    """One object: its name in the mailbox, its octets, and when it arrived."""

    name: str
    data: bytes
    arrived: datetime


def samples() -> Iterator[Sample]:
    """The messages in order of arrival."""
    for number, make in enumerate([*_SPECIAL, *[_letter] * 30]):
        arrived = _FIRST + timedelta(hours=7 * number)
        yield Sample(_name(number), make(number, arrived), arrived)


def _name(number: int) -> str:
    # SES names objects with 40 letters and digits.
    return hashlib.sha1(b"sesmail demo %d" % number, usedforsecurity=False).hexdigest()


def _message(number: int, date: datetime, subject: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Return-Path"] = "<bounces@mail.example>"
    message["Received"] = (
        f"from mail.example (mail.example [192.0.2.{number + 1}]) by inbound-smtp.eu-west-1.amazonaws.com"
        f" with SMTP id {_name(number)} for demo@example.com; {format_datetime(date)}"
    )
    message["X-SES-Spam-Verdict"] = "PASS"
    message["X-SES-Virus-Verdict"] = "PASS"
    message["From"] = _PEOPLE[number % len(_PEOPLE)]
    message["To"] = _TO
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{number}.demo@mail.example>"
    message["Subject"] = subject
    return message


def _octets(message: EmailMessage, number: int) -> bytes:
    # The email package draws boundaries at random, which would make another mailbox of each run.
    for depth, part in enumerate(message.walk()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_demo_{number}_{depth}")
    return message.as_bytes()


def _letter(number: int, date: datetime) -> bytes:
    subject, text = _TOPICS[number % len(_TOPICS)]
    message = _message(number, date, subject)
    message.set_content(text * (1 + number % 4), cte="quoted-printable" if number % 2 else "8bit")
    return _octets(message, number)


def _welcome(number: int, date: datetime) -> bytes:
    message = _message(number, date, "Welcome to sesmail")
    message.set_content("This mailbox is a folder of files. In earnest it would be a bucket that SES writes to.\n", cte="7bit")
    return _octets(message, number)


def _newsletter(number: int, date: datetime) -> bytes:
    message = _message(number, date, "News of the week, with pictures")
    message.set_content("This week: a lamp.\n")
    message.add_alternative('<html><body><h1>This week</h1><p>A lamp. <img src="cid:lamp"></p></body></html>\n', subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(_noise(number, 20_000), "image", "png", cid="<lamp>")  # type: ignore[union-attr]
    return _octets(message, number)


def _attachments(number: int, date: datetime) -> bytes:
    message = _message(number, date, "Invoice and price list")
    message.set_content("Attached are the invoice and the prices.\n")
    message.add_attachment(_noise(number, 300_000), "application", "pdf", filename="Rechnung für März.pdf")
    message.add_attachment("lamp;29.90\r\nbulb;3.50\r\n", subtype="csv", filename="prices.csv")
    return _octets(message, number)


def _forwarded(number: int, date: datetime) -> bytes:
    inner = _message(number + 100, date, "The letter within")
    inner.set_content("I was forwarded as a message of my own.\n")
    message = _message(number, date, "Fwd: The letter within")
    message.set_content("See below.\n")
    message.add_attachment(inner)
    return _octets(message, number)


def _dots(number: int, date: datetime) -> bytes:
    message = _message(number, date, "Lines that begin with dots")
    message.set_content("A dot alone would end a message:\n.\n..\n...three\n.hidden\nStill the same message.\n", cte="7bit")
    return _octets(message, number)


def _raw_utf8(number: int, date: datetime) -> bytes:
    head = _head(number, date, "Zoë Müller <zoe@example.org>", "Grüße ohne Umschweife")
    return head.encode() + "Content-Type: text/plain; charset=utf-8\r\n\r\nKäse, Brötchen, 寿司.\r\n".encode()


def _windows_1252(number: int, date: datetime) -> bytes:
    head = _head(number, date, "Jürgen Groß <juergen@example.net>", "„Straße“ kostet 5 €")
    body = "Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: 8bit\r\n\r\nAlles für 5 €.\r\n"
    return (head + body).encode("cp1252")


def _bare_newlines(number: int, date: datetime) -> bytes:
    # What delivery programs on UNIX store: LF, and here no newline at the end.
    return (
        (_head(number, date, "cron <root@host.example>", "Nightly backup") + "\r\nAll is well.\r\nReally")
        .replace("\r\n", "\n")
        .encode()
    )


def _headers_only(number: int, date: datetime) -> bytes:
    return _head(number, date, "Grace Hopper <grace@cobol.example>", "(no more to say)").encode() + b"\r\n"


def _long_line(number: int, date: datetime) -> bytes:
    head = _head(number, date, "Build Robot <robot@ci.example>", "One line of 20,000 octets")
    return head.encode() + b"\r\n" + b"word " * 4_000 + b"\r\n"


def _head(number: int, date: datetime, sender: str, subject: str) -> str:
    return (
        f"Return-Path: <bounces@mail.example>\r\nFrom: {sender}\r\nTo: {_TO}\r\nDate: {format_datetime(date)}\r\n"
        f"Message-ID: <{number}.demo@mail.example>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    )


def _noise(seed: int, size: int) -> bytes:
    return hashlib.shake_256(b"sesmail demo %d" % seed).digest(size)


_SPECIAL: tuple[Callable[[int, datetime], bytes], ...] = (
    _welcome,
    _newsletter,
    _attachments,
    _forwarded,
    _dots,
    _raw_utf8,
    _windows_1252,
    _bare_newlines,
    _headers_only,
    _long_line,
)
