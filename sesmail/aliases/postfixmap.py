"""A Postfix table that says both ways whose an address is: who gets its mail, and who may send as it.

Regular expressions run on addresses that anybody may choose. Their length is bounded, expressions that take exponential time are refused
when the table is read (`aliases.expressions`), and the service looks up in a worker pool, for a long table takes milliseconds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from sesmail.aliases.keys import Keys
from sesmail.aliases.lines import TABLE_OCTETS
from sesmail.aliases.rules import Rules
from sesmail.errors import Malformed, Unavailable

ADDRESS_CHARACTERS = 320

_EXPRESSIONS = frozenset({"pcre", "regexp"})
_TEXT = frozenset({"hash", "texthash", "btree", "cdb", "dbm", "lmdb"})
_USERS = re.compile(r"[^,\s]+")


class Table(Protocol):
    """What a table of any type can do."""

    def look_up(self, address: str) -> str | None:
        """The result for an address, None when there is none."""


class PostfixMap:
    """Never blocks and keeps nothing of what it is asked: any number of threads may use one."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def parse(cls, kind: str, text: str, name: str = "the table") -> PostfixMap:
        """Read a table of this type (``pcre``, ``regexp``, or one of keys such as ``hash``).

        Raises Malformed, which begins with `name` and the line and says what to do.
        """
        _check_type(kind)
        try:
            return cls(Rules(kind, text) if kind in _EXPRESSIONS else Keys(text))
        except Malformed as error:
            raise Malformed(f"{name}:{error.public}") from None

    def look_up(self, address: str) -> str | None:
        """The result as the table has it; None when nothing applies, as to what is longer than ADDRESS_CHARACTERS or not printable."""
        if len(address) > ADDRESS_CHARACTERS or not address.isprintable():
            return None
        return self._table.look_up(address)

    def resolve(self, address: str) -> tuple[str, ...]:
        """The users who get this address's mail, in lower case and in their order; none when the table has none."""
        found = _USERS.findall((self.look_up(address) or "").lower())
        return tuple(dict.fromkeys(found))


def load(spec: str) -> PostfixMap:
    """Read the table of ``TYPE:PATH``, of ``hash:`` and its like the text file that it is made from.

    Raises Malformed (`PostfixMap.parse`) and Unavailable for a file that cannot be read; both name the path, so they are for the
    operator alone.
    """
    kind, colon, path = spec.partition(":")
    if not colon or not path or path.startswith("{"):
        raise Malformed(f"{spec}: a table is named as TYPE:PATH, for example pcre:/etc/sesmail/aliases.pcre")
    _check_type(kind)
    try:
        with Path(path).open("rb") as file:
            octets = file.read(TABLE_OCTETS + 1)
    except OSError as error:
        raise Unavailable(f"{path}: cannot be read: {error.strerror}") from None
    if len(octets) > TABLE_OCTETS:
        raise Malformed(f"{path}: a table has at most {TABLE_OCTETS} octets")
    try:
        return PostfixMap.parse(kind, octets.decode("utf-8"), path)
    except UnicodeDecodeError:
        raise Malformed(
            f"{path}: is not text in UTF-8; for {kind} name the text file, not the one that postmap made of it"
        ) from None


def _check_type(kind: str) -> None:
    known = _EXPRESSIONS | _TEXT
    if kind not in known:
        raise Malformed(f"{kind or 'nothing'} is no type of table that is known here; known are {', '.join(sorted(known))}")
