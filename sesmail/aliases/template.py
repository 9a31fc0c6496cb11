"""The result of a rule, with what the expression's parentheses matched put in."""

from __future__ import annotations

import re

from sesmail.errors import Malformed

_PIECE = re.compile(
    r"\$(?P<dollar>\$)|\$(?P<bare>\w+)|\$\{(?P<braced>[^{}]*)\}|\$\((?P<round>[^()]*)\)|(?P<text>[^$]+)|(?P<lone>\$)"
)


class Template:
    """``$1``, ``${1}``, ``$(1)`` and ``$$`` for a dollar sign."""

    def __init__(self, text: str, groups: int) -> None:
        """`groups`: how many the expression has. Raises Malformed for a reference to another one, or to a name."""
        self._pieces = [_piece(found, groups) for found in _PIECE.finditer(text)]

    @property
    def refers(self) -> bool:
        """True when something is put in."""
        return any(isinstance(piece, int) for piece in self._pieces)

    def filled(self, match: re.Match[str] | None) -> str:
        """The result; a group that took no part in the match is empty."""
        if match is None:
            return "".join(piece for piece in self._pieces if isinstance(piece, str))
        return "".join(piece if isinstance(piece, str) else (match[piece] or "") for piece in self._pieces)


def _piece(found: re.Match[str], groups: int) -> str | int:
    if found["text"] or found["dollar"]:
        return found["text"] or "$"
    name = found["bare"] or found["braced"] or found["round"] or ""
    if not (name.isascii() and name.isdigit()):
        raise Malformed(f"{found[0]} is not $ and a number; write $$ for a dollar sign, and ${{1}}x for $1 before a letter")
    if not 1 <= int(name[:4]) <= groups:
        raise Malformed(f"{found[0]} has no pair of parentheses; the expression has {groups}")
    return int(name)
