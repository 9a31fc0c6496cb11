"""What kinds of failure are called in POP3 (RFC 2449 section 8, RFC 3206)."""

from __future__ import annotations

import logging

from twisted.cred.error import LoginDenied, UnauthorizedLogin

from sesmail.errors import BadLogin, Busy, Limited, MailError, Unavailable

END = b".\r\n"

_CODES: dict[type[MailError], bytes] = {
    Unavailable: b"[SYS/TEMP] ",
    Limited: b"[LOGIN-DELAY] ",
    Busy: b"[IN-USE] ",
    BadLogin: b"[AUTH] ",
}

logger = logging.getLogger(__name__)


def ok(text: bytes = b"") -> bytes:
    """A positive answer of one line."""
    return b"+OK " + text + b"\r\n" if text else b"+OK\r\n"


def refusal(error: MailError) -> bytes:
    """The negative answer for a failure of a known kind."""
    # A text with a line end in it would be read as two answers.
    text = " ".join(error.public.split()).encode("ascii", "replace")
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), b"")
    return b"-ERR " + code + text[:400] + b"\r\n"


def known(error: Exception) -> MailError:
    """The failure as one of our kinds. What is none of them is a bug of ours: logged, and temporary for the client."""
    if isinstance(error, UnauthorizedLogin | LoginDenied | BadLogin):
        # The same words for every refused login, whatever the checker had to say about it.
        return BadLogin()
    if isinstance(error, MailError):
        if isinstance(error, Unavailable):
            logger.warning("a command failed: %s", error)
        return error
    logger.error("a command failed by an error of ours", exc_info=error)
    return Unavailable()
