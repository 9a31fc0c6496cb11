"""The kinds of values that options take: how one is read from text, and the words the manual has for it.

Scalars are read from the text as the admin wrote it, never from YAML's guess at its type: a password `0123` or a name `no`
stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sesmail.config.problems import BadValue, nearest

T = TypeVar("T")

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|m|h|d)?", re.ASCII)
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d{1,12}) ?(B|KiB|MiB|GiB|KB|MB|GB)?", re.ASCII)
_OCTETS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_YEAR = 365 * 86400.0


class Kind(Generic[T]):
    """What an option takes."""

    words: str

    @property
    def plural(self) -> str:
        """The words for several of them."""
        return f"{self.words}es" if self.words.endswith("s") else f"{self.words}s"


@dataclass(frozen=True)
class Text(Kind[T]):
    """A scalar. `parse` gets printable text, unless it is a secret, and raises BadValue. `null`: may be left empty, which means None. `secret`: may be a reference."""

    words: str
    parse: Callable[[str], T]
    null: bool = False
    secret: bool = False


@dataclass(frozen=True)
class ListOf(Kind[tuple[T, ...]]):
    """A list; its items are of one kind."""

    item: Kind[T]
    words: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", f"a list of {self.item.plural}")


@dataclass(frozen=True)
class AnyOr(Kind[tuple[T, ...] | None]):
    """The word ``any``, which reads as None, or a list."""

    item: Kind[T]
    words: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", f"any, or a list of {self.item.plural}")


@dataclass(frozen=True)
class Entry(Kind[T]):
    """A mapping with the options of a dataclass of the table."""

    cls: type[T]
    words: str


def optional(kind: Text[T]) -> Text[T | None]:
    """The same, and it may be ``null``."""
    parse: Callable[[str], Any] = kind.parse
    return Text(f"{kind.words}, or null", parse, null=True, secret=kind.secret)


def matching(words: str, wanted: str, pattern: str, *, empty: bool = False) -> Text[str]:
    """Text that matches `pattern` as a whole, else "must be `wanted`"; `empty`: it may also be ``""``."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(text: str) -> str:
        if (empty and not text) or compiled.fullmatch(text):
            return text
        raise BadValue(f"must be {wanted}")

    return Text(words, parse)


def _secret(text: str) -> str:
    if not text or "\0" in text:
        raise BadValue("must not be empty")
    return text


SECRET = Text("secret", _secret, secret=True)


def choice(*names: str) -> Text[str]:
    """One of these words."""
    words = " | ".join(names)

    def parse(text: str) -> str:
        if text not in names:
            raise BadValue(f"must be one of {', '.join(names)}", nearest(text, names))
        return text

    return Text(words, parse)


def _switch(text: str) -> bool:
    word = text.lower()
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    raise BadValue("must be true or false")


SWITCH = Text("true | false", _switch)


def whole(low: int, high: int = 1_000_000) -> Text[int]:
    """A whole number within bounds, both included."""

    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else -1
        if not low <= number <= high:
            raise BadValue(f"must be a whole number from {low} to {high}")
        return number

    return Text("number", parse)


def number(low: float, high: float) -> Text[float]:
    """A number within bounds, with or without a decimal point."""

    def parse(text: str) -> float:
        value = float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII) else -1.0
        if not low <= value <= high:
            raise BadValue(f"must be a number from {low:g} to {high:g}")
        return value

    return Text("number", parse)


def duration(low: float = 0.0, high: float = _YEAR) -> Text[float]:
    """Seconds, or a number with a unit (``500ms``, ``30s``, ``10m``, ``2h``, ``1d``); bounds are seconds."""

    def parse(text: str) -> float:
        found = _DURATION.fullmatch(text)
        if found is None:
            raise BadValue("must be a time such as 30, 30s, 10m, 2h or 1d")
        seconds = float(found[1]) * _SECONDS[found[2]]
        if not low <= seconds <= high:
            raise BadValue(f"must be from {low:g} to {high:g} seconds")
        return seconds

    return Text("time", parse)


def seconds(low: int, high: int = int(_YEAR)) -> Text[int]:
    """A duration in whole seconds."""
    inner = duration(low, high)

    def parse(text: str) -> int:
        exact = inner.parse(text)
        if exact != int(exact):
            raise BadValue("must be whole seconds")
        return int(exact)

    return Text("time", parse)


def size(low: int, high: int = 1 << 40) -> Text[int]:
    """Octets, or a number with a unit (``8 MiB``, ``500 KB``); bounds are octets."""

    def parse(text: str) -> int:
        found = _SIZE.fullmatch(text)
        if found is None:
            raise BadValue("must be a size such as 65536, 64 KiB or 8 MiB")
        octets = int(found[1]) * _OCTETS[found[2]]
        if not low <= octets <= high:
            raise BadValue(f"must be from {low} to {high} octets")
        return octets

    return Text("size", parse)


def _expire(text: str) -> int | str:
    if text == "never":
        return text
    try:
        return whole(1, 36500).parse(text)
    except BadValue:
        raise BadValue("must be null, never, or a number of days from 1 to 36500") from None


EXPIRE: Text[int | str | None] = Text("null | never | days", _expire, null=True)


def domain(text: str) -> str:
    """A domain name in lower case. Raises BadValue."""
    lower = text.lower()
    if not text.isascii():
        raise BadValue("must be a domain in its ASCII form (xn--...)")
    if len(lower) > 253 or not _DOMAIN.fullmatch(lower):
        raise BadValue("must be a domain such as example.com")
    return lower


DOMAIN = Text("domain", domain)


def _no_domain_or(text: str) -> str:
    return domain(text) if text else text


DOMAIN_OR_EMPTY = Text("domain", _no_domain_or)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise BadValue("must be an absolute path")
    return text


PATH = Text("path", _path)
PATH_OR_EMPTY = Text("path", lambda text: _path(text) if text else text)
