"""Bracket expressions, which PCRE and POSIX write alike and Python does not."""

from __future__ import annotations

import re

from sesmail.errors import Malformed

_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~",
    "print": " -~",
}
_ITEM = re.compile(
    r"\[:(?P<class>[a-z]+):\]|(?P<refused>\[[.=:])|\\(?P<escape>x\{[0-9A-Fa-f]{1,2}\}|x[0-9A-Fa-f]{2}|.)|(?P<sign>.)", re.DOTALL
)
_ESCAPES = {"h": r" \t", "v": r"\n\x0b\x0c\r", "e": r"\x1b"}
_SAME = frozenset("dDwWsSbnrtfa")
# Python means to give them a meaning in a set one day.
_LITERAL = frozenset("[&|~")


def bracket(pattern: str, start: int, *, escapes: bool) -> tuple[str, int]:
    """The set that begins with the ``[`` at `start` as Python writes it, and where it ends.

    `escapes`: a backslash in it has a meaning, as in PCRE; in POSIX it stands for itself. Raises Malformed.
    """
    opening = "[^" if pattern.startswith("[^", start) else "["
    at = start + len(opening)
    parts = [opening]
    # Where it comes first the closing bracket is one of the set.
    while at == start + len(opening) or not pattern.startswith("]", at):
        item = _ITEM.match(pattern, at) if escapes or not pattern.startswith("\\", at) else None
        if at >= len(pattern):
            raise Malformed("a [ has no ]")
        parts.append(_item(item) if item else r"\\")
        at = item.end() if item else at + 1
    return "".join(parts) + "]", at + 1


def _item(item: re.Match[str]) -> str:
    if item["refused"] or (item["class"] and item["class"] not in _CLASSES):
        raise Malformed(f"{item[0]} is not known here")
    if item["class"]:
        return _CLASSES[item["class"]]
    if item["escape"]:
        return _escaped(item["escape"])
    sign: str = item["sign"]
    return "\\" + sign if sign in _LITERAL or sign == "]" else sign


def _escaped(what: str) -> str:
    if what in _ESCAPES:
        return _ESCAPES[what]
    if what.startswith("x") and len(what) > 1:
        return rf"\x{int(what.strip('x{}'), 16):02x}"
    if what.isalnum() and what not in _SAME:
        raise Malformed(f"\\{what} is not known here in [ ]")
    return "\\" + what
