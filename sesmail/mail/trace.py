"""What the mail server before us wrote on top of a message: what it calls the message, and when it took it (RFC 5321 section 4.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

HEAD = 65536
"""Octets in which the topmost Received field is looked for."""

_RECEIVED = re.compile(rb"(?:\A|\n)received[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE)
_BLANK = re.compile(rb"\A\r?\n|\n\r?\n")
_COMMENT = re.compile(r"\([^()]*\)")
_ID = re.compile(r"(?:^|\s)id\s+([^\s;]+)", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Trace:
    """`queue_id` is a word as `word` gives it, None where the field has none; `date` is what the field has for a date."""

    queue_id: str | None
    date: str = ""

    @property
    def moment(self) -> datetime | None:
        """The date, which knows its time zone; None for what is no date."""
        # A command that is to start at once needs the queue id alone.
        from email.utils import parsedate_to_datetime

        try:
            found = parsedate_to_datetime(_without_comments(self.date).strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return found.astimezone() if found.tzinfo is None else found


def topmost(head: bytes) -> Trace:
    """What the first Received field says; nothing where there is none in the header. `head`: how the message begins."""
    blank = _BLANK.search(head)
    found = _RECEIVED.search(head[: blank.start() + 1] if blank else head)
    if found is None:
        return Trace(None)
    text, _, date = found[1].decode("utf-8", "replace").replace("\r", " ").replace("\n", " ").rpartition(";")
    named = _ID.search(_without_comments(text or date))
    return Trace(word(named[1]) if named else None, date)


def word(queue_id: str) -> str:
    """A queue id such as can stand in a command: itself where it is plain, else as xtext (RFC 3461 section 4), cut to what fits."""
    if _PLAIN.fullmatch(queue_id):
        return queue_id
    octets = queue_id.encode("utf-8", "surrogateescape")
    return "".join(chr(one) if _PLAIN.fullmatch(chr(one)) else f"+{one:02X}" for one in octets)[:300]


def _without_comments(text: str) -> str:
    # Comments may hold comments: from the inside out, and no deeper than anybody writes them.
    for _ in range(8):
        text, count = _COMMENT.subn(" ", text)
        if not count:
            break
    return text
