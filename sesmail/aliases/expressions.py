"""One regular expression of a table, compiled: delimiters, flags, and what is refused for the time it could take."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from sesmail.aliases import perl, posix
from sesmail.errors import Malformed

LONGEST = 4000

_FLAGS = {"pcre": "imsxAEUX", "regexp": "imx"}
# Lengths at which a group is tried, close enough that the first one that takes too long does not take for ever, and the seconds of
# one thread that each may take.
_LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 200, 254)
_PATIENCE = 0.02
_SIGNS = "a1.-+_"


class Expression(NamedTuple):
    """A pattern, and whether it is to match."""

    pattern: re.Pattern[str]
    wanted: bool

    def match(self, text: str) -> re.Match[str] | None:
        """Where the pattern matches."""
        return self.pattern.search(text)


def read(kind: str, text: str) -> tuple[Expression, str]:
    """Read ``!/pattern/flags`` at the beginning of `text`: the expression, and what follows it. Raises Malformed.

    A pattern is refused in which a repeated group could take the same text in exponentially many ways: while Python searches
    nothing else runs in the process, and addresses come from anybody.
    """
    marks = text[: len(text) - len(text.lstrip("! \t"))]
    delimited = text[len(marks) :]
    if not delimited or delimited[0].isalnum():
        raise Malformed("a regular expression is missing: /pattern/ result")
    body = re.match(r"(?:\\.|(?!\\).)*?(?=" + re.escape(delimited[0]) + ")", delimited[1:], re.DOTALL)
    if body is None:
        raise Malformed(f"the regular expression has no second {delimited[0]}")
    flags, _, rest = re.split(r"([ \t]|\Z)", delimited[body.end() + 2 :], maxsplit=1)
    if len(body[0]) > LONGEST:
        raise Malformed(f"a regular expression has at most {LONGEST} characters")
    return Expression(_compiled(kind, body[0], _toggled(kind, flags)), marks.count("!") % 2 == 0), rest.strip(" \t")


def _toggled(kind: str, flags: str) -> frozenset[str]:
    for flag in flags:
        if flag not in _FLAGS[kind]:
            raise Malformed(f"the flag {flag} is not known")
    return frozenset(flag for flag in flags if flags.count(flag) % 2)


def _compiled(kind: str, pattern: str, toggled: frozenset[str]) -> re.Pattern[str]:
    translate = _from_perl if kind == "pcre" else _from_posix
    text, flags = translate(pattern, toggled)
    try:
        compiled = re.compile(text, flags | re.ASCII | (0 if "i" in toggled else re.IGNORECASE))
    except (re.error, OverflowError, RecursionError) as error:
        raise Malformed(f"the regular expression is not understood: {error}") from None
    for group in _repeated(text):
        if _is_slow(group, compiled.flags):
            raise Malformed(
                f"the regular expression could take for ever on some addresses; write {group} so that it matches in one way only"
            )
    return compiled


def _from_perl(pattern: str, toggled: frozenset[str]) -> tuple[str, int]:
    if "U" in toggled:
        raise Malformed("the flag U is not known here; write *? for * and * for *?")
    multiline, extended = "m" in toggled, "x" in toggled
    text = perl.translated(pattern, extended=extended, dollar=r"\Z" if "E" in toggled and not multiline else "$")
    flags = (re.MULTILINE if multiline else 0) | (0 if "s" in toggled else re.DOTALL) | (re.VERBOSE if extended else 0)
    return (rf"\A(?:{text})" if "A" in toggled else text), flags


def _from_posix(pattern: str, toggled: frozenset[str]) -> tuple[str, int]:
    if "x" in toggled:
        raise Malformed("basic regular expressions (the flag x) are not known here; write an extended one")
    multiline = "m" in toggled
    return posix.translated(pattern, dollar="$" if multiline else r"\Z"), re.MULTILINE if multiline else re.DOTALL


def _repeated(text: str) -> Iterator[str]:
    """Every group of a pattern in Python's words that may be repeated without end."""
    opened: list[int] = []
    for token in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", text, re.DOTALL):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")" and opened:
            group = text[opened.pop() : token.end()]
            if re.compile(r"[*+]|\{[0-9]+,(?:[0-9]{2,})?\}").match(text, token.end()):
                yield group


@lru_cache(maxsize=500)
def _is_slow(group: str, flags: int) -> bool:
    try:
        # It can never succeed, so every way is tried.
        provoked = re.compile(rf"\A{group}*(?!)", flags)
    except re.error:
        # It refers to a group outside.
        return False
    signs = dict.fromkeys([*_SIGNS, *re.findall(r"(?<!\\)[A-Za-z0-9@=-]", group)[:6]])
    tries = ((one + other) * (length // 2) for one, other in product(signs, repeat=2) for length in _LENGTHS)
    return any(_seconds(provoked, text) > _PATIENCE for text in tries)


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    began = time.thread_time()
    pattern.match(text)
    return time.thread_time() - began
