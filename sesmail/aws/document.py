"""JSON from outside, read member by member: what is not as it must be is Malformed, and the text says where and what was found.

A document is never walked as a whole, so that depth and width of what nobody asks for do not matter.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from sesmail.errors import Malformed, TooLarge

LONGEST_DOCUMENT = 1 << 20
"""Octets, or characters of what is decoded already. SQS takes messages of 1 MiB, SNS of 256 KiB, which its envelope may double."""
LONGEST_TEXT = 1024

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_NAMES_SHOWN = 6


@dataclass(frozen=True)
class Part:
    """One value of a document; `path` is the way to it, ``""`` for the whole."""

    value: object = field(repr=False)
    path: str = ""

    def has(self, name: str) -> bool:
        """True for an object with a member of this name that is not null."""
        return isinstance(self.value, dict) and self.value.get(name) is not None

    def member(self, name: str) -> Part:
        """The object's member. Raises Malformed where there is none, as all methods do for what they do not find."""
        if not isinstance(self.value, dict):
            self.wrong("an object")
        path = f"{self.path}.{name}" if self.path else name
        if name not in self.value:
            raise Malformed(f"{path} is missing: there is {self.found}")
        return Part(self.value[name], path)

    def items(self, most: int) -> tuple[Part, ...]:
        """The list's items, at most so many."""
        if not isinstance(self.value, list):
            self.wrong("a list")
        if len(self.value) > most:
            raise Malformed(f"{self._name} has {len(self.value)} items, at most {most} are taken")
        return tuple(Part(item, f"{self.path}[{number}]") for number, item in enumerate(self.value))

    def text(self, most: int = LONGEST_TEXT) -> str:
        """The string, at most so many characters. It can be encoded; it may hold any control character."""
        if not isinstance(self.value, str):
            self.wrong("a string")
        if len(self.value) > most:
            raise Malformed(f"{self._name} has {len(self.value)} characters, at most {most} are taken")
        if not _encodes(self.value):
            raise Malformed(f"{self._name} has half a character in it")
        return self.value

    def time(self) -> float:
        """The time of a string such as ``2026-01-02T03:04:05.678Z``, in seconds since 1970."""
        written = _TIME.fullmatch(self.text())
        if written is None:
            self.wrong("a time")
        seconds, fraction, zone = written.groups(default="")
        try:
            return datetime.fromisoformat(seconds + zone).timestamp() + float(f"0{fraction}")
        except ValueError:
            self.wrong("a time")

    @property
    def found(self) -> str:
        """The kind of the value in words, for an error's text: never more than a line, never its content but names of members."""
        if isinstance(self.value, dict):
            return _described(self.value)
        if isinstance(self.value, list):
            return f"a list of {len(self.value)}"
        kinds = {str: "a string", bool: "true or false", type(None): "null"}
        return kinds.get(type(self.value), "a number")

    def wrong(self, wanted: str) -> NoReturn:
        """Raises Malformed: this had to be something else."""
        raise Malformed(f"{self._name} must be {wanted}, and is {self.found}")

    @property
    def _name(self) -> str:
        return self.path or "the document"


def load(document: bytes | str, path: str = "") -> Part:
    """Read JSON in UTF-8. Raises TooLarge above LONGEST_DOCUMENT, Malformed for what is no JSON or too deep to be read."""
    if len(document) > LONGEST_DOCUMENT:
        raise TooLarge(f"{path or 'the document'} has more than {LONGEST_DOCUMENT} octets")
    try:
        text = document.decode("utf-8") if isinstance(document, bytes) else document
        return Part(json.loads(text), path)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{path or 'the document'} is not JSON", cause=type(error).__name__) from None


def printable(text: str, most: int) -> str:
    """The text in one line of ASCII: what is none is escaped, what is longer than `most` is cut."""
    return ascii(text[:most])[1:-1][:most]


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _described(members: dict[object, object]) -> str:
    names = [printable(str(name), 40) for name in list(members)[:_NAMES_SHOWN]]
    more = [f"{len(members) - _NAMES_SHOWN} more"] if len(members) > _NAMES_SHOWN else []
    return "an object with " + ", ".join(names + more) if members else "an empty object"
