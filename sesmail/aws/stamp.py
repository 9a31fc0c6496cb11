"""What SES wrote in front of a message, and whom the message itself names: for one that no event tells of.

SES prepends Return-Path, one Received, its verdicts and X-SES-RECEIPT; below that stands what the sender wrote, who can write all of
these names again. https://docs.aws.amazon.com/ses/latest/dg/receiving-email-concepts.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sesmail.aws.receipt import MOST_RECIPIENTS, UNCHECKED, Verdict, Verdicts
from sesmail.errors import Malformed
from sesmail.mail.address import Address, path
from sesmail.mail.headers import Field, end_of_header, fields
from sesmail.mail.mailboxes import mailboxes

HEADER_OCTETS = 262_144
_LONGEST_RECEIVED = 4096

_RECEIPT = re.compile(rb"^x-ses-receipt:", re.IGNORECASE | re.MULTILINE)
_RECEIVED = re.compile(
    r".* by inbound-smtp\.[a-z0-9-]+\.amazonaws\.com with \S+ id (?P<id>\S+) for <?(?P<recipient>[^\s;<>]+)>?;[^;]*", re.ASCII
)
_SPACE = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Stamp:
    """Whom a message is for, as far as the message tells.

    `recipients`: whom SES names. It names one, also when the message is for several, so they are true and may not be all. `guessed`: who
    else stands in To and Cc, which may be anybody. `sender` is the envelope's, ``""`` for the null sender and for one that is no address
    here, None where SES did not write it. Of the verdicts only spam and virus are known.
    """

    recipients: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    sender: str | None = None
    verdicts: Verdicts = UNCHECKED


def read(head: bytes, message_id: str) -> Stamp:
    """Read the beginning of a message, with any line ends, at most HEADER_OCTETS of it; what follows its header does not matter.

    What SES wrote is believed only if it names `message_id`, so an object that another program put there has nothing but guesses.
    Never raises: what cannot be read tells nothing.
    """
    head = _header(head)
    receipt = _RECEIPT.search(head)
    stamped = _stamped(head[: receipt.start()], message_id) if receipt else Stamp()
    guessed = tuple(address for address in _named(head) if address not in stamped.recipients)
    return Stamp(stamped.recipients, guessed, stamped.sender, stamped.verdicts)


def _header(head: bytes) -> bytes:
    head = head[:HEADER_OCTETS]
    # A line that was cut could be taken for a shorter address.
    head = head[: head.rfind(b"\n") + 1].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    end = end_of_header(head)
    return head if end is None else head[:end]


def _stamped(above: bytes, message_id: str) -> Stamp:
    try:
        written = fields(above)
    except Malformed:
        return Stamp()
    found = _RECEIVED.fullmatch(_received(written))
    if found is None or found["id"] != message_id:
        return Stamp()
    spam, virus = (Verdict.of(_value(written, name)) for name in (b"x-ses-spam-verdict", b"x-ses-virus-verdict"))
    return Stamp(tuple(_address(found["recipient"])), (), _sender(written), Verdicts(spam, virus))


def _received(written: Sequence[Field]) -> str:
    return _SPACE.sub(" ", _value(written, b"received")[:_LONGEST_RECEIVED])


def _value(written: Sequence[Field], name: bytes) -> str:
    value = next((field.value for field in written if field.name == name), b"")
    return value.decode("utf-8", "replace")


def _sender(written: Sequence[Field]) -> str:
    try:
        return path(_value(written, b"return-path").encode("utf-8"))[0]
    except Malformed:
        return ""


def _address(written: str) -> Iterator[str]:
    try:
        yield str(Address.parse(written))
    except Malformed:
        return


def _named(head: bytes) -> tuple[str, ...]:
    try:
        named = [field.value for field in fields(head) if field.name in (b"to", b"cc")]
    except Malformed:
        return ()
    found = dict.fromkeys(address for value in named for address in _mailboxes(value))
    return tuple(found)[:MOST_RECIPIENTS]


def _mailboxes(value: bytes) -> tuple[str, ...]:
    try:
        return mailboxes(value)
    except Malformed:
        return ()
