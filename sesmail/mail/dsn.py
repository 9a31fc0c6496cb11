"""The report that a message did not reach somebody (RFC 3464, in the multipart/report of RFC 6522)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sesmail.errors import Malformed
from sesmail.mail.envelope import Envelope
from sesmail.mail.headers import date, end_of_header, field, fields
from sesmail.mail.outcome import Outcome

HEADER_OCTETS = 16 * 1024
"""How much of the returned message's header a report has at most."""

# RFC 5322 section 2.1.1, less what a fold adds.
_LINE_OCTETS = 900
_EIGHT_BIT = re.compile(rb"[^\t\n\r -~]")
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,250}>")
_OPENING = "This is the mail system at host {host}.\r\n\r\nYour message of {arrived} could not be delivered to:\r\n"
_CLOSING = "\r\nNothing more will be tried. The header of your message follows.\r\n"


def report(
    envelope: Envelope,
    failures: Mapping[str, Outcome],
    head: bytes,
    *,
    reporting_mta: str,
    now: float,
    boundary: str,
    message_id: str,
    arrived: float,
) -> bytes:
    """A whole message to `envelope.returns`, to be sent with the null sender: 7-bit, CRLF, no line over 998 octets.

    `head` is the beginning of the message that failed, cut anywhere; its header alone is returned, at most HEADER_OCTETS of it.
    `boundary` is one that nobody can foresee. `now` and `arrived` are unix times, `message_id` is in angle brackets. What an outcome or
    the message says cannot become a field or a part of the report. Raises ValueError where nothing is to be returned.
    """
    if not envelope.returns or not failures:
        raise ValueError("nothing is to be returned")
    returned = head[: end_of_header(head)]
    parts = (
        (b"text/plain; charset=us-ascii", _words(failures, reporting_mta, arrived)),
        (b"message/delivery-status", _status(failures, reporting_mta, now, arrived)),
        (b"text/rfc822-headers", _printable(_whole_fields(returned))),
    )
    top = [
        field(b"Date", date(now)),
        field(b"From", b"Mail Delivery System <MAILER-DAEMON@%b>" % reporting_mta.encode("ascii")),
        field(b"To", envelope.returns.encode("ascii")),
        field(b"Subject", b"Your message could not be delivered"),
        field(b"Message-ID", message_id.encode("ascii")),
        *_references(returned),
        field(b"Auto-Submitted", b"auto-replied"),
        field(b"MIME-Version", b"1.0"),
        field(b"Content-Type", b'multipart/report; report-type=delivery-status; boundary="%b"' % boundary.encode("ascii")),
    ]
    return b"".join(top) + b"\r\n" + _multipart(parts, boundary.encode("ascii"))


def _multipart(parts: Iterable[tuple[bytes, bytes]], boundary: bytes) -> bytes:
    written = [b"--%b\r\n%b\r\n%b\r\n" % (boundary, field(b"Content-Type", kind), content) for kind, content in parts]
    return b"".join(written) + b"--%b--\r\n" % boundary


def _words(failures: Mapping[str, Outcome], host: str, arrived: float) -> bytes:
    lines = [f"\r\n    {recipient}\r\n        {outcome.reply}\r\n" for recipient, outcome in failures.items()]
    opening = _OPENING.format(host=host, arrived=date(arrived).decode("ascii"))
    return "".join([opening, *lines, _CLOSING]).encode("ascii")


def _status(failures: Mapping[str, Outcome], host: str, now: float, arrived: float) -> bytes:
    whole = field(b"Reporting-MTA", b"dns; " + host.encode("ascii")) + field(b"Arrival-Date", date(arrived))
    return b"\r\n".join([whole, *(_recipient(recipient, outcome, now) for recipient, outcome in failures.items())])


def _recipient(recipient: str, outcome: Outcome, now: float) -> bytes:
    return b"".join(
        [
            field(b"Final-Recipient", b"rfc822; " + recipient.encode("ascii")),
            field(b"Action", b"failed"),
            field(b"Status", outcome.status.encode("ascii")),
            field(b"Diagnostic-Code", b"smtp; " + outcome.reply.encode("ascii")),
            field(b"Last-Attempt-Date", date(now)),
        ]
    )


def _references(returned: bytes) -> list[bytes]:
    """So that a mail program shows the report beside the message."""
    try:
        ids = [found.value for found in fields(returned) if found.name == b"message-id"]
    except Malformed:
        return []
    return [field(b"References", id) for id in ids[:1] if _MESSAGE_ID.fullmatch(id)]


def _whole_fields(returned: bytes) -> bytes:
    if len(returned) <= HEADER_OCTETS:
        return returned.removesuffix(b"\r\n") if returned.endswith(b"\r\n\r\n") else returned
    bounded = returned[:HEADER_OCTETS]
    return bounded[: bounded.rfind(b"\r\n") + 2] if b"\r\n" in bounded else bounded


def _printable(head: bytes) -> bytes:
    lines = _EIGHT_BIT.sub(b"?", head).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"\r\n".join(b"\r\n ".join(_bounded(line)) for line in lines)


def _bounded(line: bytes) -> list[bytes]:
    # A line that begins like a boundary must not be one.
    safe = b"?" + line[1:] if line.startswith(b"--") else line
    return [safe[start : start + _LINE_OCTETS] for start in range(0, max(len(safe), 1), _LINE_OCTETS)]
