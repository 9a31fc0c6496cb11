"""All that one client heard, read as RFC 1939 says; anything else in it is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

END = b"\r\n.\r\n"
_STATUS = re.compile(rb"(?:\+OK|-ERR|\+ )[^\r\n]*\r\n")
_RETR = re.compile(rb"\+OK [0-9]+ octets\r\n\Z")
_ROWS = {
    b"+OK capabilities follow": re.compile(rb"[!-~ ]+\Z"),
    b"+OK mechanisms follow": re.compile(rb"[A-Z0-9-]+\Z"),
    b"+OK unique ids follow": re.compile(rb"[0-9]+ [!-~]{1,70}\Z"),
    b"messages (": re.compile(rb"[0-9]+ [0-9]+\Z"),
}
_TOP = b"+OK top of message follows\r\n"


class Wrong(AssertionError):
    """The client heard what no client may hear."""


def statuses(heard: bytes, mails: Mapping[bytes, frozenset[int]]) -> list[bytes]:
    """The status lines, in order. `mails`: the messages that it may hear, as they go over the wire, without the final dot,
    each with the octets that RETR may say it has.

    Raises Wrong for a message that is none of these, for half a message with its end, and for whatever is no answer. What
    breaks off in the middle is good.
    """
    found: list[bytes] = []
    at = 0
    while at < len(heard):
        status = _STATUS.match(heard, at)
        if status is None:
            if b"\n" in heard[at:]:
                raise Wrong(f"no answer: {heard[at : at + 200]!r}")
            break
        found.append(status[0])
        at = _behind(heard, status[0], status.end(), mails)
    return found


def _behind(heard: bytes, status: bytes, at: int, mails: Mapping[bytes, frozenset[int]]) -> int:
    if _RETR.match(status):
        octets = int(status.split()[1])
        return _message(heard, at, [mail for mail, sizes in mails.items() if octets in sizes])
    if status == _TOP:
        return _top(heard, at, mails)
    for begin, row in _ROWS.items():
        if begin in status and status.startswith(b"+OK"):
            return _rows(heard, at, row)
    return at


def _message(heard: bytes, at: int, mails: Sequence[bytes]) -> int:
    for mail in mails:
        if heard.startswith(mail, at) and heard.startswith(b".\r\n", at + len(mail)):
            return at + len(mail) + 3
    rest = heard[at:]
    if any((mail + b".\r\n").startswith(rest) for mail in mails):
        return len(heard)
    raise Wrong(f"not the message that was announced, or not the whole: {rest[:200]!r} ... {rest[-200:]!r}")


def _top(heard: bytes, at: int, mails: Mapping[bytes, frozenset[int]]) -> int:
    end = heard.find(END, at - 2)
    part = heard[at : end + 2] if end >= 0 else heard[at:]
    good = (mail for mail in mails if mail.startswith(part) or (end < 0 and (mail + b".\r\n").startswith(part)))
    if next(good, None) is None and (end >= 0 or not _cut_end(part, mails)):
        raise Wrong(f"not the top of a message: {part[:200]!r}")
    return end + len(END) if end >= 0 else len(heard)


def _cut_end(part: bytes, mails: Iterable[bytes]) -> bool:
    """A top whose final line was cut: its dot, or its dot and CR, are there."""
    top = part.removesuffix(b"\r").removesuffix(b".")
    return any(mail.startswith(top) for mail in mails)


def _rows(heard: bytes, at: int, row: re.Pattern[bytes]) -> int:
    end = heard.find(END, at - 2)
    text = heard[at : end + 2] if end >= 0 else heard[at : heard.rfind(b"\n") + 1]
    for line in text.split(b"\r\n")[:-1]:
        if not row.match(line):
            raise Wrong(f"not a line of this listing: {line!r}")
    return end + len(END) if end >= 0 else len(heard)
