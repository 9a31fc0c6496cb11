"""Prefixes of keys as mailtos3 has them: text, or ``dateTimeFormat(LAYOUT)``, which stands for the time as that layout has it."""

from __future__ import annotations

import posixpath
import re
from datetime import UTC, datetime

from sesmail.mail.gotime import formatted

_DATED = re.compile(r"dateTimeFormat\((.+)\)", re.DOTALL)
_SAMPLE = datetime(2020, 8, 11, 7, 5, 9, tzinfo=UTC)
_LONGEST = 600


def is_dated(prefix: str) -> bool:
    """Whether the prefix is another one at another time."""
    return _DATED.fullmatch(prefix) is not None


def folder(prefix: str, moment: datetime) -> str:
    """What keys begin with at this moment, which knows its time zone: ``""``, or folders that end in a slash.

    Cleaned as Go's path.Join does it: ``a/../b//c`` is ``b/c/``. Raises ValueError, with what is wrong, for a prefix that begins with
    a slash, leads out of the bucket, or has control characters or more than 600 octets.
    """
    found = _DATED.fullmatch(prefix)
    text = formatted(found[1], moment) if found else prefix
    if text.startswith("/"):
        raise ValueError("must not begin with a slash")
    if not text.isprintable() or len(text.encode("utf-8", "replace")) > _LONGEST:
        raise ValueError(f"must be printable and have at most {_LONGEST} octets")
    clean = posixpath.normpath(text) if text else "."
    if clean == ".." or clean.startswith("../"):
        raise ValueError('must not lead out of the bucket by ".."')
    return "" if clean == "." else f"{clean}/"


def check(prefix: str) -> None:
    """Raises ValueError as `folder` does, whatever the time is."""
    folder(prefix, _SAMPLE)
