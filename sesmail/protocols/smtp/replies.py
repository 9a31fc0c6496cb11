"""What kinds of failure are called in SMTP (RFC 5321 section 4.2, RFC 3463, RFC 4954 section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sesmail.errors import BadLogin, Limited, MailError, Malformed, NoSuchMailbox, Refused, TooLarge, Unavailable
from sesmail.mail.outcome import Outcome

Codes = Mapping[type[MailError], str]

COMMAND: Codes = {
    Unavailable: "451 4.3.0",
    Limited: "451 4.7.1",
    BadLogin: "535 5.7.8",
    NoSuchMailbox: "550 5.1.1",
    Refused: "550 5.7.1",
    TooLarge: "552 5.3.4",
    Malformed: "501 5.5.4",
}
LOGIN: Codes = {
    **COMMAND,
    Unavailable: "454 4.7.0",
    Limited: "454 4.7.0",
    # The login is good, but not for this.
    Refused: "535 5.7.1",
    Malformed: "501 5.5.2",
}
MESSAGE: Codes = {**COMMAND, Refused: "554 5.7.1", Malformed: "554 5.6.0"}
"""The answer to a message, once it is received."""

_ANY_OTHER = "451 4.3.0"
# RFC 5321 section 4.5.3.1.5 has 512 octets for a reply line.
_LONGEST_TEXT = 400


def reply(code: str, text: str) -> bytes:
    """A reply of one line; `code` is a reply code, with its enhanced status where it has one."""
    # A text with a line end in it would be read as two replies.
    words = " ".join(text.split()).encode("ascii", "replace")
    return code.encode("ascii") + b" " + words[:_LONGEST_TEXT] + b"\r\n"


def lines(code: str, texts: Sequence[str]) -> bytes:
    """A reply of several lines (RFC 5321 section 4.2.1)."""
    *first, last = texts
    return b"".join(f"{code}-{text}\r\n".encode("ascii") for text in first) + f"{code} {last}\r\n".encode("ascii")


def code_of(error: MailError, codes: Codes = COMMAND) -> str:
    """The reply code of a failure, with its enhanced status: its own, or that of its kind."""
    return error.smtp or next((code for kind, code in codes.items() if isinstance(error, kind)), _ANY_OTHER)


def refusal(error: MailError, codes: Codes = COMMAND) -> bytes:
    """The negative reply for a failure of a known kind."""
    return reply(code_of(error, codes), error.public)


def answer(outcome: Outcome) -> bytes:
    """What the next hop said about a message, as our own reply."""
    # Its 421 says that it closes its connection (RFC 5321 section 3.8); we do not close ours.
    code = 451 if outcome.code == 421 else outcome.code
    return reply(f"{code} {outcome.status}", outcome.text)
