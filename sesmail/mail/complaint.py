"""Tells an author that a recipient of his message complained of it, in words: what a feedback report (RFC 5965) would say."""

from __future__ import annotations

from collections.abc import Sequence

from sesmail.mail.headers import date, field

_OPENING = "This is the mail system at host {host}.\r\n\r\nYour message of {sent} was marked as unwanted{kind} by:\r\n\r\n"
_CLOSING = (
    "\r\nIt was delivered; the complaint was made where they read it. Please do not write to them in this matter again:\r\n"
    "complaints count against everybody who sends from here.\r\n\r\nYour message was:\r\n\r\n"
)


def complaint(
    author: str,
    recipients: Sequence[str],
    head: bytes,
    *,
    kind: str,
    hostname: str,
    now: float,
    sent: float,
    message_id: str,
) -> bytes:
    """A whole message to `author`, to be sent with the null sender: 7-bit, CRLF.

    Addresses are in the form that `mail.address` gives; `kind` is what the complaint is called, one line of ASCII, or ``""``; `head` is
    what is known of the message's header, in lines of printable ASCII of at most 998 octets. `now` and `sent` are unix times.
    """
    top = [
        field(b"Date", date(now)),
        field(b"From", b"Mail Delivery System <MAILER-DAEMON@%b>" % hostname.encode("ascii")),
        field(b"To", author.encode("ascii")),
        field(b"Subject", b"A recipient complained of your message"),
        field(b"Message-ID", message_id.encode("ascii")),
        field(b"Auto-Submitted", b"auto-generated"),
        field(b"MIME-Version", b"1.0"),
        field(b"Content-Type", b"text/plain; charset=us-ascii"),
    ]
    when = date(sent).decode("ascii")
    words = _OPENING.format(host=hostname, sent=when, kind=f" ({kind})" if kind else "")
    listed = "".join(f"    {recipient}\r\n" for recipient in recipients)
    return b"".join([*top, b"\r\n", (words + listed + _CLOSING).encode("ascii"), head])
