"""Read passwd.txt: one ``local:hash`` a line, CRLF or LF, blank lines and ``#`` comments allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sesmail.auth import hashes
from sesmail.auth.names import fold

_BOM = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """One user: the local part as the file spells it, which is the salt, and the hash."""

    local: str
    hash: str


@dataclass(frozen=True)
class Records:
    """A parsed file: users by folded local part, and the numbers (from 1) of lines that could not be understood."""

    users: Mapping[str, Record] = field(default_factory=dict, repr=False)
    malformed: tuple[int, ...] = ()


def parse(data: bytes) -> Records:
    """The users of a passwd.txt; the first line that matches a name wins, fields after the second are ignored."""
    users: dict[str, Record] = {}
    malformed = []
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        record = _record(text)
        if record is None:
            malformed.append(number)
        else:
            users.setdefault(fold(record.local), record)
    return Records(users, tuple(malformed))


def _record(line: bytes) -> Record | None:
    try:
        fields = line.decode("utf-8").split(":")
    except UnicodeDecodeError:
        return None
    if len(fields) < 2 or not fields[0] or not hashes.known(fields[1]):
        return None
    return Record(fields[0], fields[1])
