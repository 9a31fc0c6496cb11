"""Read a password file: one ``name:hash`` a line, CRLF or LF, blank lines and ``#`` comments allowed. Pure.

Names may have a domain. Dovecot's passwd-file has up to eight fields; of the further ones only those are heeded that may keep a
user out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sesmail.auth import hashes
from sesmail.auth.names import fold

BOM = b"\xef\xbb\xbf"
# user:password:uid:gid:gecos:home:shell:extra fields, of which the last may have colons of its own.
_FIELDS = 8


class Record(NamedTuple):
    """One user: the name as the file spells it, and the hash."""

    name: str
    hash: str

    @property
    def salt(self) -> str:
        """The bare local part, which salts hashes of the first format."""
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class Records:
    """A parsed file: users by folded name, and the numbers (from 1) of lines that could not be understood.

    `unusable` are lines of users whom no password lets in, since their scheme or a condition of theirs is not known here.
    """

    users: Mapping[str, Record] = field(default_factory=dict, repr=False)
    malformed: tuple[int, ...] = ()
    unusable: tuple[int, ...] = ()

    @property
    def decoy(self) -> Record:
        """What an unknown user's password is compared with, so that he costs what the file's first user costs."""
        return next((one for one in self.users.values() if hashes.known(one.hash)), Record("", hashes.NOBODY))


def parse(data: bytes) -> Records:
    """The users of a password file; the first line that matches a name wins."""
    users: dict[str, Record] = {}
    malformed, unusable = [], []
    for number, line in enumerate(data.removeprefix(BOM).split(b"\n"), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        record = _record(text)
        if record is None:
            malformed.append(number)
            continue
        users.setdefault(fold(record.name), record)
        if not hashes.known(record.hash) and not hashes.locked(record.hash):
            unusable.append(number)
    return Records(users, tuple(malformed), tuple(unusable))


def _record(line: bytes) -> Record | None:
    try:
        fields = line.decode("utf-8").split(":", _FIELDS - 1)
    except UnicodeDecodeError:
        return None
    if len(fields) < 2 or not fields[0]:
        return None
    extra = fields[_FIELDS - 1].split() if len(fields) == _FIELDS else []
    if any(one.partition("=")[0] == "nologin" for one in extra):
        return Record(fields[0], hashes.LOCKED)
    if any(one.startswith("allow_nets=") for one in extra):
        # A checker is not told the client's address: better nobody than somebody from elsewhere.
        return Record(fields[0], "{ALLOW-NETS}")
    return Record(fields[0], fields[1])
