"""What comes from a mail, as it may be shown on a terminal, which must not obey it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sesmail.mail.headers import end_of_header

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def header(head: bytes) -> str:
    """The header at the beginning of a message, or what there is of it, with its last line end."""
    text = head[: end_of_header(head)].decode("ascii", "backslashreplace").replace("\r\n", "\n")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def moment(seconds: float) -> str:
    """A time in seconds since 1970, in words where it is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"
