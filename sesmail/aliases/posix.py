"""Extended regular expressions of POSIX (regex(7), with glibc's additions) as Python writes them.

One thing stays different: of several ways to match POSIX takes the longest, Python the first. Whether an expression matches is the
same, what its parentheses took may not be.
"""

from __future__ import annotations

import re

from sesmail.aliases.brackets import bracket
from sesmail.errors import Malformed

_TOKEN = re.compile(
    r"\\(?P<escape>.?)|(?P<set>\[)|(?P<group>\((?![?*+{]))|(?P<count>[*+?]|\{[0-9]*(?:,[0-9]*)?\})|(?P<sign>.)", re.DOTALL
)
_ESCAPES = {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "`": r"\A", "'": r"\Z"}
_SAME = frozenset("wWsSbB123456789")


def translated(pattern: str, *, dollar: str = r"\Z") -> str:
    """The pattern in Python's words; `dollar` is what ``$`` becomes. Raises Malformed."""
    parts: list[str] = []
    at = 0
    counted = False
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or (token["count"] and (counted or not parts)):
            raise Malformed("it has a repetition of nothing, or a repetition twice")
        if token["set"]:
            part, at = bracket(pattern, at, escapes=False)
        else:
            part, at = _part(token, dollar), token.end()
        counted = token["count"] is not None
        parts.append(part)
    return "".join(parts)


def _part(token: re.Match[str], dollar: str) -> str:
    escape = token["escape"]
    if escape is not None:
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if not escape or (escape.isalnum() and escape not in _SAME):
            raise Malformed(f"\\{escape} is not known here")
        return "\\" + escape
    if token["sign"] == "(":
        raise Malformed(f"{token[0]} must not be followed by a repetition")
    if token["sign"] == "$":
        return dollar
    return r"\{" if token["sign"] == "{" else token[0]
