"""The lines of a password file: one ``name:hash`` a line, CRLF or LF, blank lines and ``#`` comments allowed. Pure.

Names may have a domain. Dovecot's passwd-file has up to eight fields; of the further ones only those are heeded that may keep a
user out. What a hash is worth is not known here: this is for whoever checks no password, and may not have the libraries for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sesmail.auth.names import fold

BOM = b"\xef\xbb\xbf"
# Nobody's password, on purpose.
LOCKED = "!"
# user:password:uid:gid:gecos:home:shell:extra fields, of which the last may have colons of its own.
_FIELDS = 8


@dataclass(frozen=True)
class Content:
    """A password file as it was loaded; `etag` is None when there is none, which reads as an empty one."""

    data: bytes = field(default=b"", repr=False)
    etag: str | None = None


class Record(NamedTuple):
    """One user: the name as the file spells it, and the hash."""

    name: str
    hash: str

    @property
    def salt(self) -> str:
        """The bare local part, which salts hashes of the first format."""
        return self.name.partition("@")[0]


def entries(data: bytes) -> Iterator[tuple[int, Record | None]]:
    """Each line that is neither blank nor a comment, with its number (from 1); None where it could not be understood."""
    for number, line in enumerate(data.removeprefix(BOM).split(b"\n"), 1):
        text = line.strip()
        if text and not text.startswith(b"#"):
            yield number, _record(text)


def users(data: bytes) -> frozenset[str]:
    """The folded names of all users, also of those whom no password lets in."""
    return frozenset(fold(record.name) for _, record in entries(data) if record is not None)


def _record(line: bytes) -> Record | None:
    try:
        fields = line.decode("utf-8").split(":", _FIELDS - 1)
    except UnicodeDecodeError:
        return None
    if len(fields) < 2 or not fields[0]:
        return None
    extra = fields[_FIELDS - 1].split() if len(fields) == _FIELDS else []
    if any(one.partition("=")[0] == "nologin" for one in extra):
        return Record(fields[0], LOCKED)
    if any(one.startswith("allow_nets=") for one in extra):
        # A checker is not told the client's address: better nobody than somebody from elsewhere.
        return Record(fields[0], "{ALLOW-NETS}")
    return Record(fields[0], fields[1])
