"""Change password files without losing what others change at the same time. Imports no Twisted; blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from sesmail.auth.entries import BOM, Content
from sesmail.auth.names import fold
from sesmail.auth.records import Records, parse
from sesmail.errors import NoSuchMailbox, Refused, Unavailable

ATTEMPTS = 20

# A lone carriage return ends no line here, as it ends none for whoever reads the file.
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")


class Editable(Protocol):
    """A password file, wherever it lies. Raises Unavailable when that could not be asked."""

    def load(self) -> Content:
        """The file as it is now."""

    def put(self, data: bytes, etag: str | None) -> None:
        """Write it; durable on return. Raises Refused unless it still is as the `etag` that was loaded says."""


def amend(file: Editable, change: Callable[[bytes], bytes]) -> None:
    """Write what `change` makes of the file, from a fresh copy whenever somebody else was faster.

    Nothing is written when nothing changes. Raises what `change` raises, and Unavailable when others were faster every time.
    """
    for _ in range(ATTEMPTS):
        content = file.load()
        data = change(content.data)
        if data == content.data:
            return
        try:
            file.put(data, content.etag)
        except Refused as error:
            conflict = error
            continue
        return
    raise Unavailable("others change the password file all the time", cause=conflict)


def with_hash(data: bytes, name: str, hashed: str) -> bytes:
    """The file with this hash for `name`: in the line that counts for it, whose other fields stay, or in a new one at the end."""
    lines = _LINES.findall(data)
    for number, line in enumerate(lines):
        if _name(line, first=number == 0) == fold(name):
            head, _, rest = line.partition(b":")
            _, colon, further = rest.rstrip(b"\r\n").partition(b":")
            lines[number] = head + b":" + hashed.encode() + colon + further + rest[len(rest.rstrip(b"\r\n")) :]
            return b"".join(lines)
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    joint = end if lines and not lines[-1].endswith(b"\n") else b""
    return data + joint + f"{name}:{hashed}".encode() + end


def upgraded(data: bytes, name: str, old: str, new: str) -> bytes:
    """The file with `new` instead of `old`, unchanged when the user's hash is `old` no more."""
    record = parse(data).users.get(fold(name))
    return with_hash(data, name, new) if record is not None and record.hash == old else data


def without(data: bytes, name: str) -> bytes:
    """The file without any line of `name`: a second one would count once the first is gone. Raises NoSuchMailbox."""
    lines = _LINES.findall(data)
    kept = [line for number, line in enumerate(lines) if _name(line, first=number == 0) != fold(name)]
    if len(kept) == len(lines):
        raise NoSuchMailbox("no such user in the password file")
    return b"".join(kept)


def records(file: Editable) -> Records:
    """The users of the file as it is now."""
    return parse(file.load().data)


def _name(line: bytes, *, first: bool) -> str | None:
    """The folded name of a line's user, None for a line without one."""
    text = (line.removeprefix(BOM) if first else line).strip()
    if not text or text.startswith(b"#") or b":" not in text:
        return None
    try:
        return fold(text.partition(b":")[0].decode())
    except UnicodeDecodeError:
        return None
