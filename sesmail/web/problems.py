"""How doors for people and programs say what went wrong: RFC 9457, in words that may be shown."""

from __future__ import annotations

import json

from sesmail.errors import BadLogin, Busy, Limited, MailError, Malformed, NoSuchMailbox, Refused, TooLarge, Unavailable
from sesmail.web.answers import Answer, phrase

# The first that fits; anything else is our bug.
_STATUS: tuple[tuple[type[MailError], int], ...] = (
    (BadLogin, 401),
    (Refused, 403),
    (NoSuchMailbox, 404),
    (TooLarge, 413),
    (Malformed, 400),
    (Limited, 429),
    (Busy, 503),
    (Unavailable, 503),
)
# RFC 9110 section 11.6.1: every 401 has a challenge, and this one makes no browser ask for a password.
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="sesmail"')
# RFC 9110 section 10.2.3; in seconds.
_LATER = ("Retry-After", "5")


def problem(code: int, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer that tells programs and people the same."""
    said = {"type": "about:blank", "title": phrase(code), "status": code} | ({"detail": detail} if detail else {})
    usual = {401: (_CHALLENGE,), 429: (_LATER,), 503: (_LATER,)}.get(code, ())
    return Answer(code, (*headers, *usual, ("Content-Type", "application/problem+json")), body=_octets(said))


def of(error: MailError) -> Answer:
    """The answer for a known error, with its public text."""
    return problem(next((code for kind, code in _STATUS if isinstance(error, kind)), 500), error.public)


def json_answer(said: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """What was asked for."""
    return told(200, said, headers)


def told(code: int, said: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The same under another status."""
    return Answer(code, (*headers, ("Content-Type", "application/json")), body=_octets(said))


def _octets(said: object) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode("ascii")
