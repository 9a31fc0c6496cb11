"""What kinds of failure are called in POP3 (RFC 2449 section 8, RFC 3206)."""

from __future__ import annotations

from sesmail.errors import BadLogin, Busy, Limited, MailError, Unavailable

END = b".\r\n"

_CODES: dict[type[MailError], bytes] = {
    Unavailable: b"[SYS/TEMP] ",
    Limited: b"[LOGIN-DELAY] ",
    Busy: b"[IN-USE] ",
    BadLogin: b"[AUTH] ",
}


def ok(text: bytes = b"") -> bytes:
    """A positive answer of one line."""
    return b"+OK " + text + b"\r\n" if text else b"+OK\r\n"


def refusal(error: MailError) -> bytes:
    """The negative answer for a failure of a known kind."""
    # A text with a line end in it would be read as two answers.
    text = " ".join(error.public.split()).encode("ascii", "replace")
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), b"")
    return b"-ERR " + code + text[:400] + b"\r\n"
