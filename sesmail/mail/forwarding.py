"""The header of a message that is sent on by somebody who may not send in its author's name.

Amazon SES takes From, Sender and Return-Path of verified identities alone:
https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
"""

from __future__ import annotations

from sesmail.errors import Malformed, Refused
from sesmail.mail import headers
from sesmail.mail.author import name, on_behalf
from sesmail.mail.headers import Field
from sesmail.mail.mailboxes import mailboxes

MOST_FORWARDS = 3
"""How often one gateway, or several that call themselves the same, sends a message on."""

MOST_HOPS = 25
"""Received fields that a message may have and still be sent on."""

_LOOP = b"x-sesmail-forwarded"
# A signature covers the From that is replaced; what SES would be steered by, or has found out, was for us alone.
_OUT = frozenset({b"from", b"sender", b"return-path", b"dkim-signature", b"domainkey-signature", b"bcc", b"resent-bcc"})
_NOBODY = "unknown sender"


def forwarded(head: bytes, *, sender: str, forward_from: str, gateway: str) -> bytes:
    """The header `head`, its blank line included or not, as it goes out, with a blank line; CRLF line ends.

    From names `forward_from`, and shows who wrote it. Answers go to the author: Reply-To stays, or is made from the old From (or from
    the envelope's `sender`, where that names nobody for certain). The old From is kept as X-Original-From, and each hop adds a field with
    the name of the `gateway` (printable ASCII). Every other field that stays, stays octet for octet.

    Raises Malformed for what is no header, and Refused (``554 5.4.6``) for a message that goes in circles.
    """
    found = headers.fields(head)
    if not found:
        raise Malformed("the message has no header", smtp="554 5.6.0")
    _check_circles(found, gateway)
    old = headers.one(found, b"from")
    authors = _authors(old)
    new = [
        headers.field(b"X-Sesmail-Forwarded", gateway.encode("ascii")),
        headers.field(b"From", on_behalf(_shown(old, authors, sender), forward_from)),
    ]
    if not any(field.name == b"reply-to" for field in found):
        new += _reply_to(old, authors, sender)
    if old is not None:
        new.append(_renamed(b"X-Original-From", old))
    out = _OUT | {field.name for field in found if field.name.startswith(b"x-ses-")}
    return headers.prepended(headers.without(found, out), *new)


def _check_circles(found: tuple[Field, ...], gateway: str) -> None:
    ours = sum(field.name == _LOOP and field.value == gateway.encode("ascii") for field in found)
    if ours >= MOST_FORWARDS or sum(field.name == b"received" for field in found) > MOST_HOPS:
        raise Refused("the message goes in circles", smtp="554 5.4.6")


def _authors(old: Field | None) -> tuple[str, ...]:
    try:
        return mailboxes(old.value) if old is not None else ()
    except Malformed:
        return ()


def _shown(old: Field | None, authors: tuple[str, ...], sender: str) -> str:
    if old is None or not authors:
        return sender or _NOBODY
    return name(old.value) or authors[0]


def _reply_to(old: Field | None, authors: tuple[str, ...], sender: str) -> list[bytes]:
    if old is not None and authors and old.raw.isascii():
        return [_renamed(b"Reply-To", old)]
    addresses = ", ".join(authors) or sender
    return [headers.field(b"Reply-To", addresses.encode("ascii"))] if addresses else []


def _renamed(new: bytes, field: Field) -> bytes:
    return new + b":" + field.raw.partition(b":")[2]
