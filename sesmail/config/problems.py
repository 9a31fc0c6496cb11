"""What is wrong with a configuration, said so that an admin finds the line: file, line, key, and the nearest right name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Where:
    """A spot in a file (lines and columns count from 1), or the name of an environment variable."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `key` is spelled with dots (``pop3.listeners[0].tls``), empty when it is about the whole file."""

    where: Where
    key: str
    message: str
    near: str | None = None

    def __str__(self) -> str:
        hint = f', did you mean "{self.near}"?' if self.near else ""
        line = ": ".join(part for part in (str(self.where), self.key, self.message + hint) if part)
        return in_one_line(line)


def in_one_line(text: str) -> str:
    """The text without what would end a line or steer a terminal; keys and paths may hold anything."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds all that were found, one line each in `str`.

    Never holds the value of a secret.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class BadValue(ValueError):
    """A value that its option does not take; the text says what it takes instead."""

    def __init__(self, message: str, near: str | None = None) -> None:
        super().__init__(message)
        self.near = near


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The name that was probably meant, if any is like it."""
    # A pipe command reads a file for each message, and has no use for this.
    import difflib

    found = difflib.get_close_matches(name[:100].lower(), [other.lower() for other in names], n=1)
    return next((other for other in names if found and other.lower() == found[0]), None)
